"""The README of an evidence bundle: how to check it with nothing of ours, and what each step proves.

Each block is a script of its own, read by bash from standard input, so that it stops at the first thing that is not right and
never reaches its last line, `PASSED`. A list such as `[ a ] && [ b ]` would not stop it; so there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a README is written for."""

    origin: str
    """The name of the log."""
    entries: int
    """Of the log, as the newest checkpoint covers them."""
    enclosed: int
    example: int
    """The entry that the blocks begin with."""
    cosigned: int
    """An entry under a checkpoint that somebody cosigned; -1: there is none."""
    stamped: int
    """An entry under a checkpoint with a time stamp; -1: there is none."""
    fingerprint: str
    """Of the first root; empty: nobody signed the policy."""
    scope: Sequence[str]
    """What was chosen, in words; empty: everything."""


def readme(of: Enclosed) -> str:
    """The whole text."""
    scope = f"Chosen: {', '.join(of.scope)}." if of.scope else "Chosen: everything."
    parts = (
        _filled(_HEAD, ORIGIN=of.origin, ENTRIES=of.entries, ENCLOSED=of.enclosed, SCOPE=scope),
        _filled(_ROOT, FINGERPRINT=of.fingerprint) if of.fingerprint else _UNSIGNED,
        *(_filled(part, NUMBER=of.example) for part in (_ENVELOPE, _INCLUSION, _CHECKPOINT)),
        _filled(_COSIGNED, NUMBER=of.cosigned) if of.cosigned >= 0 else _NOT_COSIGNED,
        _filled(_STAMPED, NUMBER=of.stamped) if of.stamped >= 0 else _NOT_STAMPED,
        _FOOT,
    )
    return "\n".join(_filled(part, BEGIN=_BEGIN, ENTRY=_ENTRY).strip("\n") + "\n" for part in parts)


def _filled(text: str, **words: object) -> str:
    for name, word in words.items():
        text = text.replace(f"@{name}@", str(word))
    return text


_HEAD = """
# Evidence bundle

@ENCLOSED@ signed statements out of the record `@ORIGIN@`, which had @ENTRIES@ entries when this was written. @SCOPE@

| here | is |
|---|---|
| `log/entries/` | the statements, each in its signed envelope (DSSE 1.0.2, in-toto Statement v1), byte for byte |
| `log/checkpoint`, `log/tile/`, `log/witnessed/` | the record's Merkle tree (RFC 6962, C2SP formats), and who saw it when |
| `proofs/NUMBER.tlog-proof` | that an entry is in the record, under the first checkpoint that somebody saw with it in it |
| `trust/` | who could sign what: the policy, every version, signed by its roots (TUF) |
| `keys/`, `time/` | the keys and certificates out of `trust/`, as PEM files for openssl |

With our command, on any machine, without a network:

```
crane-verify report verify . --root FINGERPRINT
```

Without it: bash, openssl 3.0 or newer, jq, xxd, and what every Linux has. Open a terminal in this folder and paste block by
block. `N=` is the number of the entry to be checked; put in another one. A block whose last line is `PASSED` has shown what
stands above it. **A block that ends in anything else has shown nothing.** Who could doctor the evidence could doctor this file,
too: read what you run. `keys/`, `time/` and this file are for your hands only: our command believes nothing that they say.
"""

_ROOT = """
## 1. Who is trusted

Shows that each root was signed by enough of the people whom the one before it names, that each policy was signed by enough
of the people of its root, and that the files in `keys/` are keys of the policy. It does not show that the first root is the
port's own: for that, compare the fingerprint it prints with one from somebody you know, not out of this bundle. When this was
written it was `@FINGERPRINT@`.

```sh
bash -euo pipefail <<'CHECK'
@BEGIN@
signed_by() { # signed_by ROOT ROLE FILE: enough of the people that ROOT names for ROLE signed FILE
  # as TUF signs it: keys sorted, no spaces, and the line ends of PEM keys as they are
  jq -cSj .signed "$3" | sed 's/\\\\n/\\n/g' >"$dir/signed"
  jq -r --arg role "$2" '.signed.roles[$role].keyids[]' "$1" | sort -u >"$dir/ids"
  : >"$dir/people"
  while read -r id; do
    jq -r --arg id "$id" '.signatures[] | select(.keyid == $id) | .sig' "$3" | xxd -r -p >"$dir/sig"
    if test ! -s "$dir/sig"; then continue; fi
    public=$(jq -er --arg id "$id" '.signed.keys[$id].keyval.public' "$1")
    case $public in
    -----BEGIN*) printf '%s\\n' "$public" >"$dir/key" ;;
    *) printf '302a300506032b6570032100%s' "$public" | xxd -r -p | openssl pkey -pubin -inform DER -out "$dir/key" ;;
    esac
    openssl pkeyutl -verify -pubin -inkey "$dir/key" -rawin -in "$dir/signed" -sigfile "$dir/sig" >"$dir/said"
    jq -er --arg id "$id" '.signed["x-crane-verify-owners"][] | select(.key == $id) | .owner' "$1" >>"$dir/people"
  done <"$dir/ids"
  needed=$(jq -er --arg role "$2" '.signed.roles[$role].threshold' "$1")
  test "$needed" -ge 1
  test "$(sort -u "$dir/people" | wc -l)" -ge "$needed"
  echo "$3 is signed by $(sort -u "$dir/people" | paste -sd, -), as $1 asks"
}
number=1 before=trust/1.root.json
while test -e "trust/$number.root.json"; do
  signed_by "$before" root "trust/$number.root.json"
  signed_by "trust/$number.root.json" root "trust/$number.root.json"
  test "$(jq -er .signed.version "trust/$number.root.json")" = "$number"
  before=trust/$number.root.json number=$((number + 1))
done
test "$number" -gt 1
for policy in trust/*.targets.json; do
  root=$(jq -er '.signed["x-crane-verify-root"]' "$policy")
  signed_by "trust/$root.root.json" targets "$policy"
done
while read -r id algorithm roles owner; do
  # not by openssl, which before 3.5 cannot read ML-DSA; with any other line in the file, base64 fails
  sed -e '1s/^-----BEGIN PUBLIC KEY-----$//' -e '$s/^-----END PUBLIC KEY-----$//' "keys/$id.pem" | base64 -d >"$dir/der"
  test "$(sha256sum <"$dir/der")" = "$id  -"
  # without -e, which asks the last file alone; grep asks all of them
  jq -r --arg id "$id" '.signed["x-crane-verify-keys"][] | select(.key == $id) | .owner' trust/*.targets.json |
    grep -xF "$owner" >"$dir/said"
done <keys/owners.txt
echo "the first root is $(sha256sum <trust/1.root.json)"
echo PASSED
CHECK
```

Who must sign what, and from when to when a key counts, the policy says: `jq '.signed' trust/*.targets.json`.
"""

_UNSIGNED = """
## 1. Who is trusted

`trust/policy.json` says it, and **nobody signed that file**: it is of before there were roots. Compare it with a copy from
somebody you know. This shows only that the files in `keys/` are the keys that stand in it.

```sh
bash -euo pipefail <<'CHECK'
@BEGIN@
while read -r id algorithm roles owner; do
  sed -e '1s/^-----BEGIN PUBLIC KEY-----$//' -e '$s/^-----END PUBLIC KEY-----$//' "keys/$id.pem" | base64 -d >"$dir/der"
  test "$(sha256sum <"$dir/der")" = "$id  -"
  base64 -w 0 <"$dir/der" >"$dir/spki"
  jq -er --rawfile spki "$dir/spki" '.keys[] | select(.public.spki == $spki) | .owner' trust/policy.json |
    grep -xF "$owner" >"$dir/said"
done <keys/owners.txt
echo PASSED
CHECK
```
"""

_ENVELOPE = """
## 2. Who signed the statement

Shows that the people and services it prints signed exactly this statement. Whether they are the right ones, the policy says. It
does not show when they signed, nor that the statement is true: a device can lie.

```sh
N=@NUMBER@ bash -euo pipefail <<'CHECK'
@ENTRY@
jq -er .payload "$entry" | base64 -d >"$dir/payload"
type=$(jq -er .payloadType "$entry")
test "$type" = application/vnd.in-toto+json
{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c <"$dir/payload")"; cat "$dir/payload"; } >"$dir/signed"
count=$(jq -er '.signatures | length' "$entry")
held=0
for ((place = 0; place < count; place++)); do
  id=$(jq -er ".signatures[$place].keyid" "$entry")
  if ! test -e "keys/$id.pem"; then echo "not counted: a signature by nobody in keys/"; continue; fi
  jq -er ".signatures[$place].sig" "$entry" | base64 -d >"$dir/sig"
  if openssl version | grep -q '^OpenSSL 3\\.[0-4]\\.' && grep -q "^$id ml-dsa-65 " keys/owners.txt; then
    echo "not counted: ML-DSA-65 needs OpenSSL 3.5"
    continue
  fi
  openssl pkeyutl -verify -pubin -inkey "keys/$id.pem" -rawin -in "$dir/signed" -sigfile "$dir/sig" >"$dir/said"
  grep "^$id " keys/owners.txt | sed 's/^/signed by /'
  held=$((held + 1))
done
test "$held" -gt 0
jq '.predicateType, (.predicate | {device, verdict, serial, ended, at, baseline, previous, witnessed}
  | with_entries(select(.value)))' "$dir/payload"
echo PASSED
CHECK
```

`jq -r .payload log/entries/... | base64 -d | jq .` shows all of it.
"""

_INCLUSION = """
## 3. It stands in the record

Shows that the tree with this root holds exactly this envelope at this place. Of the root itself it shows nothing: that is next.

```sh
N=@NUMBER@ bash -euo pipefail <<'CHECK'
@ENTRY@
test "$(sed -n 1p "$proof")" = c2sp.org/tlog-proof@v1
test "$(sed -n 2p "$proof")" = "index $N"
size=$(sed -n 2p "$dir/checkpoint") root=$(sed -n 3p "$dir/checkpoint")
# an entry of the tree is a line: the statement's type, the envelope's bytes, its SHA-256; the leaf is its hash after a zero byte
type=$(jq -er .payload "$entry" | base64 -d | jq -er .predicateType)
digest=$(sha256sum <"$entry" | cut -d' ' -f1)
{ printf '\\0'; printf '%s %d %s\\n' "$type" "$(wc -c <"$entry")" "$digest"; } | openssl dgst -sha256 -binary >"$dir/node"
# from the leaf up, as RFC 9162, section 2.1.3.2, says; a node is the hash of both its children after a one byte
index=$N last=$((size - 1))
test "$index" -le "$last"
awk 'NR > 2 { if ($0 == "") exit; print }' "$proof" >"$dir/hashes"
while read -r hash; do
  test "$last" -gt 0
  printf %s "$hash" | base64 -d >"$dir/beside"
  test "$(wc -c <"$dir/beside")" -eq 32
  if ((index % 2 == 1 || index == last)); then
    { printf '\\1'; cat "$dir/beside" "$dir/node"; } | openssl dgst -sha256 -binary >"$dir/above"
    while ((index % 2 == 0 && index > 0)); do index=$((index / 2)) last=$((last / 2)); done
  else
    { printf '\\1'; cat "$dir/node" "$dir/beside"; } | openssl dgst -sha256 -binary >"$dir/above"
  fi
  mv "$dir/above" "$dir/node"
  index=$((index / 2)) last=$((last / 2))
done <"$dir/hashes"
test "$last" -eq 0
test "$(base64 <"$dir/node")" = "$root"
echo "entry $N of the $size entries with the root $root"
echo PASSED
CHECK
```
"""

_CHECKPOINT = """
## 4. The record's own signature

Shows that the key it prints, which must be the collector's, signed this root for this record. Whoever has that key and the
machine could have signed another history as well; that they did not, only the next two steps can show.

```sh
N=@NUMBER@ bash -euo pipefail <<'CHECK'
@ENTRY@
test "$(sed -n 1p "$dir/text")" = "$origin"
held=0
while read -r dash name signature; do
  test "$dash" = —
  if test "$name" != "$origin"; then continue; fi
  printf %s "$signature" | base64 -d | tail -c 64 >"$dir/sig"
  for key in keys/*.pem; do
    if openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$dir/text" -sigfile "$dir/sig" >"$dir/said" 2>&1; then
      grep "^$(basename "$key" .pem) " keys/owners.txt | sed 's/^/signed by /'
      held=$((held + 1))
    fi
  done
done <"$dir/lines"
test "$held" -gt 0
cat "$dir/text"
echo PASSED
CHECK
```
"""

_COSIGNED = """
## 5. Who saw it

Shows that the witnesses it prints say that they saw this root at the time printed, and that it followed on all they had
seen of this record before. The entry was there by then. What came later is not covered.

```sh
N=@NUMBER@ bash -euo pipefail <<'CHECK'
@ENTRY@
held=0
while read -r dash name signature; do
  test "$dash" = —
  if test "$name" = "$origin"; then continue; fi
  printf %s "$signature" | base64 -d >"$dir/line"
  test "$(wc -c <"$dir/line")" -eq 76
  time=$(xxd -s 4 -l 8 -p "$dir/line")
  time=$((16#$time))
  tail -c 64 "$dir/line" >"$dir/sig"
  { printf 'cosignature/v1\\ntime %d\\n' "$time"; cat "$dir/text"; } >"$dir/signed"
  for key in keys/*.pem; do
    if openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$dir/signed" -sigfile "$dir/sig" >"$dir/said" 2>&1; then
      echo "seen on $(date -u -d "@$time" '+%Y-%m-%d %H:%M:%S UTC') by $(grep "^$(basename "$key" .pem) " keys/owners.txt)"
      held=$((held + 1))
    fi
  done
done <"$dir/lines"
test "$held" -gt 0
echo PASSED
CHECK
```
"""

_NOT_COSIGNED = """
## 5. Who saw it

No witness cosigned any checkpoint of this bundle.
"""

_STAMPED = """
## 6. A time stamp

Shows that the time authority whose certificate it prints says that this checkpoint was there at the time printed (RFC 3161). The
certificate is checked as of that time: that it ran out since does not matter. Whether it was stolen, this does not show.

```sh
N=@NUMBER@ bash -euo pipefail <<'CHECK'
@ENTRY@
seen=log/witnessed/$(printf %012d "$(sed -n 2p "$dir/text")")
sed '/^$/,$d' "$seen/checkpoint" | cmp - "$dir/text"
held=0
for stamp in "$seen"/*.tsr; do
  time=$(openssl ts -reply -in "$stamp" -text 2>"$dir/said" | sed -n 's/^Time stamp: //p')
  at=$(date -u -d "$time" +%s)
  for signer in time/*.pem; do
    # only the first certificate of the file may have signed; those above it, and what the stamp brings along, nobody believes
    openssl x509 -in "$signer" -out "$dir/signer"
    if openssl ts -verify -in "$stamp" -data "$seen/checkpoint" -partial_chain -CAfile "$dir/signer" -untrusted "$signer" \\
      -attime "$at" >"$dir/said" 2>&1; then
      echo "stamped on $time by $(grep "^$(basename "$signer" .pem) " time/authorities.txt)"
      held=$((held + 1))
    fi
  done
done
test "$held" -gt 0
echo PASSED
CHECK
```
"""

_NOT_STAMPED = """
## 6. A time stamp

No time authority stamped any checkpoint of this bundle.
"""

_FOOT = """
## What this does not show

* That the devices told the truth, nor what they did between two checks.
* That no entry was left out which came after the last checkpoint that somebody saw.
* What stands in entries that are not enclosed; how many there are and of what kind, `strings log/tile/entries/*` shows.
* That the record never had another history: a witness shows that for all it cosigned. That later checkpoints grew out of earlier
  ones is too long for a shell; our command shows it, and so does Go's `golang.org/x/mod/sumdb/tlog` out of the same tiles.
"""

_BEGIN = """\
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT"""

_ENTRY = (
    _BEGIN
    + """
name=$(printf %09d "$N")
entry=log/entries/${name:0:3}/${name:3:3}/$name.json proof=proofs/$N.tlog-proof
origin=$(cat log/origin)
sed '1,/^$/d' "$proof" >"$dir/checkpoint"
sed '/^$/,$d' "$dir/checkpoint" >"$dir/text"
sed '1,/^$/d' "$dir/checkpoint" >"$dir/lines"
test "$(wc -l <"$dir/text")" -eq 3"""
)
