"""Keys on tokens: SoftHSM as a real one, a played card for what that does not do, and words for everything that goes wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.softhsm import MODULE, PIN, SoftHsm, run, started
from tests.signers import ED, P256, PQ, openssl_says
from tests.trust_fixtures import NOW, OFFICER, POLICY, baseline, sealed_baseline
from verifier.cli import desk
from verifier.errors import CraneVerifyError, TrustError, UsageError
from verifier.model.device import Secret
from verifier.trust.envelope import add_signature
from verifier.trust.keys import Algorithm
from verifier.trust.policy import Policy, TrustedKey
from verifier.trust.signers.token import TokenSigner, said, token_signer, tries_left
from verifier.trust.signers.uri import TokenUri, read_uri
from verifier.trust.statement import BASELINE
from verifier.trust.verify import verify

pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: pip install 'crane-verify[hsm]'")
from tests.servers.card import Card, Reader  # noqa: E402  # it needs the library

DATA = b"DSSEv1 4 type 7 content"
real = pytest.mark.skipif(
    not (Path(MODULE).exists() and shutil.which("pkcs11-tool")), reason="softhsm2 and opensc are not installed"
)


def right(_: Secret) -> str:
    return PIN


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    made = started(tmp_path_factory.mktemp("hsm") / "softhsm")
    made.new_token("port officer")
    made.new_key("p256", "01", "EC:prime256v1")
    made.new_key("ed25519", "02", "EC:edwards25519")
    made.new_key("each time", "03", "EC:prime256v1", "port officer", "--always-auth")
    made.new_key("p384", "04", "EC:secp384r1")
    made.new_key("alone", "05", "EC:prime256v1")
    made.tool("--delete-object", "--type", "pubkey", "--id", "05")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ.update(made.environment)
    yield made
    pkcs11.unload(MODULE)
    os.environ.pop("SOFTHSM2_CONF") if before is None else os.environ.update(SOFTHSM2_CONF=before)


# A real token


@real
@pytest.mark.parametrize(("label", "algorithm"), [("p256", Algorithm.P256), ("ed25519", Algorithm.ED25519)])
def test_a_token_signs_and_openssl_agrees(label: str, algorithm: Algorithm, hsm: SoftHsm, tmp_path: Path) -> None:
    by = token_signer(hsm.uri(f";object={label}"), right)
    assert by.public.algorithm is algorithm
    assert by.key_id == by.public.key_id
    for number in range(20):
        data = DATA + bytes([number])
        assert by.public.holds(by.sign(data), data)
    assert openssl_says(by.public, by.sign(DATA), DATA, tmp_path)
    assert not openssl_says(by.public, by.sign(DATA + b"!"), DATA, tmp_path)


@real
def test_an_approval_by_a_token_counts(hsm: SoftHsm) -> None:
    by = token_signer(hsm.uri(";id=%01"), right)
    keys = tuple(TrustedKey(key.owner, by.public) if key.owner == "A. Engineer" else key for key in POLICY.keys)
    signed = add_signature(sealed_baseline(OFFICER), by)
    assert verify(signed, BASELINE, Policy(keys, POLICY.roles, POLICY.quorums), NOW).value == baseline()


@real
def test_the_pin_is_asked_for_once_or_each_time_as_the_key_wants_it(hsm: SoftHsm) -> None:
    asked: list[Secret] = []

    def answer(secret: Secret) -> str:
        asked.append(secret)
        return PIN

    once = token_signer(hsm.uri(";object=p256"), answer)
    assert asked == [Secret("prompt", "PIN of port officer")]
    once.sign(DATA)
    once.sign(DATA)
    assert len(asked) == 1
    always = token_signer(hsm.uri(";object=each%20time"), answer)
    asked.clear()
    assert always.public.holds(always.sign(DATA), DATA)
    always.sign(DATA)
    assert len(asked) == 2
    wrong = replace(always, pin=lambda: "0000")
    with pytest.raises(TrustError, match="the PIN of the token 'port officer' is wrong"):
        wrong.sign(DATA)


@real
def test_a_certificate_on_the_token_serves_as_public_key(hsm: SoftHsm, tmp_path: Path) -> None:
    make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=officer"]
    subprocess.run(["openssl", *make, "-keyout", "key.pem", "-out", "c.pem"], cwd=tmp_path, check=True, capture_output=True)
    for kind, name in (("privkey", "key"), ("cert", "c")):
        subprocess.run(
            [
                "openssl",
                *(["x509"] if kind == "cert" else ["pkey"]),
                "-in",
                f"{name}.pem",
                "-outform",
                "der",
                "-out",
                f"{name}.der",
            ],
            cwd=tmp_path,
            check=True,
        )
        hsm.tool("--write-object", str(tmp_path / f"{name}.der"), "--type", kind, "--id", "06", "--label", "piv", "--usage-sign")
    by = token_signer(hsm.uri(";object=piv"), right)
    assert by.public.holds(by.sign(DATA), DATA)
    hsm.tool("--delete-object", "--type", "privkey", "--id", "06")


REFUSED = {
    ";object=none": (UsageError, "'port officer' holds no such private key; it holds 'alone' with id 05; 'each time' with id 03"),
    "": (UsageError, "holds 5 private keys that fit the pkcs11: URI: 'alone' with id 05;"),
    ";object=p256;id=%02": (UsageError, "holds no such private key"),
    ";object=p384": (TrustError, "neither Ed25519 nor ECDSA P-256"),
    ";object=alone": (UsageError, "holds the private key alone, without a public key or certificate"),
    ";manufacturer=Another": (UsageError, "no token fits the pkcs11: URI; there is 'port officer' with serial"),
}


@real
@pytest.mark.parametrize("rest", REFUSED)
def test_which_key_is_meant_must_be_clear(rest: str, hsm: SoftHsm) -> None:
    kind, words = REFUSED[rest]
    with pytest.raises(kind, match=words) as caught:
        token_signer(hsm.uri(rest), right)
    assert caught.value.hint


TYPED = """
import sys
from verifier.errors import CraneVerifyError
from verifier.trust.signers.token import token_signer
for pin in sys.argv[2:]:
    try:
        print(len(token_signer(sys.argv[1], lambda secret: print(secret.name or secret.source) or pin).sign(b"x")) > 60)
    except CraneVerifyError as error:
        print(type(error).__name__, error)
"""


@real
def test_a_wrong_pin_on_a_real_token(hsm: SoftHsm) -> None:
    """In a process of its own: whoever is logged in, is logged in for the whole process."""
    command = [sys.executable, "-c", TYPED, hsm.uri(";object=p256"), "0000", "", PIN]
    done = subprocess.run(command, env={**os.environ, **hsm.environment}, capture_output=True, text=True, check=True)
    wrong = "TrustError the PIN of the token 'port officer' is wrong; a wrong one was given before, and too many lock it"
    low = "PIN of port officer (a wrong one was given before, and too many lock it)"
    assert done.stdout.splitlines() == ["PIN of port officer", wrong, low, wrong, low, "True"]


@real
def test_two_tokens_of_one_name(hsm: SoftHsm) -> None:
    run(hsm, "softhsm2-util", "--init-token", "--free", "--label", "twin", "--so-pin", "so-pin", "--pin", PIN)
    run(hsm, "softhsm2-util", "--init-token", "--free", "--label", "twin", "--so-pin", "so-pin", "--pin", PIN)
    command = [sys.executable, "-c", TYPED, hsm.uri(";object=p256", token="twin"), PIN]
    done = subprocess.run(command, env={**os.environ, **hsm.environment}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UsageError 2 tokens fit the pkcs11: URI: 'twin' with serial ")


@real
def test_the_desk_takes_the_token_that_is_named(hsm: SoftHsm, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text(PIN + "\n")
    pin.chmod(0o600)
    by = desk.signer(hsm.uri(f";object=p256?pin-source=file:{pin}"))
    assert by.public.holds(by.sign(DATA), DATA)
    pin.chmod(0o644)
    with pytest.raises(UsageError, match="can be read by others"):
        desk.signer(hsm.uri(f";object=p256?pin-source={pin}"))
    with pytest.raises(UsageError, match="PIN of port officer: nobody is at the terminal"):
        desk.signer(hsm.uri(";object=p256"))


def test_no_module(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no PKCS#11 module at /nowhere/token\.so") as caught:
        desk.signer("pkcs11:token=a?module-path=/nowhere/token.so")
    assert "opensc-pkcs11.so" in caught.value.hint
    text = tmp_path / "module.so"
    text.write_text("no module")
    with pytest.raises(TrustError, match=f"the token '{text}' refused: PKCS11Error OS exception while loading"):
        token_signer(f"pkcs11:?module-path={text}", right)


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(UsageError, match="a library that is not installed") as caught:
        token_signer("pkcs11:?module-path=/x.so", right)
    assert caught.value.hint == "pip install 'crane-verify[hsm]'"


# A card that is played


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    made = Card()
    monkeypatch.setattr(pkcs11, "lib", lambda _: Reader([made]))
    return made


URI = f"pkcs11:?module-path={os.path.realpath(__file__)}"
"""The module is played, but it must be there."""


def attempt(pin: str, uri: str = URI) -> tuple[str, list[str]]:
    """What came of it, and what was asked for."""
    asked: list[str] = []

    def answer(secret: Secret) -> str:
        asked.append(f"{secret.source}:{secret.name}")
        return pin

    try:
        by = token_signer(uri, answer)
        assert by.public.holds(by.sign(DATA), DATA)
    except CraneVerifyError as error:
        assert error.hint
        return str(error), asked
    return "", asked


def test_wrong_pins_until_it_locks(card: Card) -> None:
    name = "officer's card"
    wrong = f'the PIN of the token "{name}" is wrong'
    assert attempt("1") == (f"{wrong}; a wrong one was given before, and too many lock it", [f"prompt:PIN of {name}"])
    assert attempt("2") == (
        f"{wrong}; one try is left before it locks",
        [f"prompt:PIN of {name} (a wrong one was given before, and too many lock it)"],
    )
    assert attempt("3") == (f"{wrong}; it is locked now", [f"prompt:PIN of {name} (one try is left before it locks)"])
    assert attempt(card.pin) == (f'the PIN of the token "{name}" is locked', [])


def test_the_last_try_is_not_spent_on_a_file(card: Card) -> None:
    stored = f"{URI}&pin-source=file:/etc/pin"
    assert attempt(card.pin, stored) == ("", ["file:/etc/pin"])
    card.left = 1
    assert attempt(card.pin, stored) == (
        'the token "officer\'s card" is not tried with the PIN in /etc/pin: one try is left before it locks',
        [],
    )
    assert attempt(card.pin)[0] == ""
    assert card.left == 3


def test_a_card_with_a_key_pad_and_one_without_a_pin(card: Card) -> None:
    card.extra |= pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH
    assert attempt("never asked") == ("", [])
    card.extra = pkcs11.TokenFlag(0)
    assert attempt("never asked") == ("", [])
    assert card.opened_with == [pkcs11.PROTECTED_AUTH, None]


def test_a_card_that_writes_its_point_bare(card: Card) -> None:
    card.point = P256.public.raw
    assert attempt(card.pin)[0] == ""
    card.point = P256.public.raw[:-1]
    assert attempt(card.pin)[0] == "a public key is not a key for ecdsa-sha2-nistp256"


def test_a_card_pulled_out_between(card: Card) -> None:
    by = token_signer(URI, lambda _: card.pin)
    card.pulled = True
    with pytest.raises(TrustError, match="was pulled out"):
        by.sign(DATA)


@pytest.mark.parametrize("what", ["token=another", "serial=43", "manufacturer=C", "model=C"])
def test_a_card_that_is_another(what: str, card: Card) -> None:
    assert attempt(card.pin, URI.replace("?", f"{what}?"))[0].startswith(
        'no token fits the pkcs11: URI; there is "officer\'s card"'
    )
    assert attempt(card.pin, URI.replace("?", "serial=0042;model=PIV;manufacturer=Card%20Works;token=officer's%20card?"))[0] == ""


def test_two_cards_of_one_name(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs11, "lib", lambda _: Reader([card, Card(serial=b"0043")]))
    name = '"officer\'s card"'
    assert attempt(card.pin)[0] == f"2 tokens fit the pkcs11: URI: {name} with serial 0042; {name} with serial 0043"
    assert attempt(card.pin, URI.replace("?", "serial=0043?"))[0] == ""


def test_an_empty_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs11, "lib", lambda _: Reader([]))
    assert attempt("")[0] == "no token fits the pkcs11: URI; there is none"


def test_a_card_whose_two_halves_do_not_belong_together(card: Card) -> None:
    by = token_signer(URI, lambda _: card.pin)
    with pytest.raises(TrustError, match="made a signature that does not hold"):
        replace(by, public=ED.public, private=Lying()).sign(DATA)  # type: ignore[arg-type]  # it is played
    with pytest.raises(TrustError, match="ml-dsa-65 are not read from tokens"):
        replace(by, public=PQ.public).sign(DATA)
    assert isinstance(by, TokenSigner)


class Lying:
    def sign(self, _data: bytes, mechanism: object) -> bytes:
        assert mechanism is pkcs11.Mechanism.EDDSA
        return bytes(64)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PinLocked", "the PIN of the token 'x' is locked"),
        ("PinIncorrect", "the PIN of the token 'x' is wrong"),
        ("PinExpired", "has run out"),
        ("UserPinNotInitialized", "has no PIN yet"),
        ("TokenNotPresent", "was pulled out"),
        ("SessionHandleInvalid", "was pulled out"),
        ("MechanismInvalid", "cannot sign in this way"),
        ("GeneralError", "refused: GeneralError"),
    ],
)
def test_what_a_token_refuses_is_said_in_words(name: str, words: str) -> None:
    message, hint = said(getattr(pkcs11.exceptions, name)(), "x")
    assert message.endswith(words) and hint


def test_what_a_token_says_of_wrong_pins() -> None:
    flag = pkcs11.TokenFlag
    assert tries_left(flag.LOGIN_REQUIRED) == ""
    assert tries_left(flag.USER_PIN_COUNT_LOW) == "a wrong one was given before, and too many lock it"
    assert tries_left(flag.USER_PIN_COUNT_LOW | flag.USER_PIN_FINAL_TRY) == "one try is left before it locks"
    assert tries_left(flag.USER_PIN_COUNT_LOW | flag.USER_PIN_LOCKED) == "it is locked now"


# URIs


def test_a_uri_in_full() -> None:
    uri = (
        "pkcs11:token=The%20Port;manufacturer=M;model=X;serial=007;object=my%3Bkey;type=private;id=%00%ff"
        "?module-path=/usr/lib/x.so&pin-source=file:///etc/pin"
    )
    assert read_uri(uri) == TokenUri("/usr/lib/x.so", "The Port", "007", "M", "X", "my;key", b"\0\xff", "/etc/pin")
    assert read_uri("pkcs11:?module-path=/x.so") == TokenUri("/x.so")
    assert read_uri("pkcs11:?module-path=/x.so&pin-source=/etc/pin").pin_file == "/etc/pin"


WRONG_URIS = {
    "pkcs11:token=a": "does not say where the token's module is",
    "pkcs11:?module-path=x.so": "does not say where the token's module is",
    "pkcs11:?module-path=/x.so&pin-value=1234": "holds a PIN, which every list of processes",
    "pkcs11:pin-value=1234?module-path=/x.so": "holds a PIN",
    "pkcs11:?module-path=/x.so&pin-source=|cat%20/etc/pin": "is no file",
    "pkcs11:?module-path=/x.so&pin-source=http://127.0.0.1/pin": "is no file",
    "pkcs11:?module-path=/x.so&module-path=/y.so": "says module-path twice",
    "pkcs11:slot-id=1?module-path=/x.so": "says 'slot-id', which is not known here",
    "pkcs11:token?module-path=/x.so": "says 'token', which is not known here",
    "pkcs11:token=%ff?module-path=/x.so": "token is not text",
    "pkcs11:type=cert?module-path=/x.so": "names something that is no private key",
    "pkcs11:\x1b[2J=1?module-path=/x.so": r"says '\\x1b\[2J'",
}


@pytest.mark.parametrize("uri", WRONG_URIS, ids=range(len(WRONG_URIS)))
def test_a_uri_that_says_too_little_or_too_much(uri: str) -> None:
    with pytest.raises(UsageError, match=WRONG_URIS[uri]) as caught:
        read_uri(uri)
    assert caught.value.hint
    assert "1234" not in str(caught.value) + caught.value.hint
