// Reads our files with other people's code. Prints what it found as JSON; whatever is refused ends it with an error.
//
//   node read.cjs policy FOLDER [ROLE FILE]   roots and policy, with tuf-js; then a file signed by a delegated role
//   node read.cjs envelope FILE KEY.pem       the payload of a DSSE envelope, with @sigstore/core

const fs = require('fs');
const path = require('path');

function policy(folder, role, file) {
  const { Metadata, MetadataKind } = require('@tufjs/models');
  const { TrustedMetadataStore } = require('tuf-js/dist/store');
  const named = fs.readdirSync(folder).map((name) => name.match(/^(\d+)\.(root|targets)\.json$/)).filter(Boolean);
  const versions = (kind) => named.filter((match) => match[2] === kind).map((match) => Number(match[1])).sort((a, b) => a - b);
  const read = (name) => fs.readFileSync(path.join(folder, name));

  const roots = versions('root');
  const store = new TrustedMetadataStore(read(`${roots[0]}.root.json`));
  for (const version of roots.slice(1)) store.updateRoot(read(`${version}.root.json`));

  const newest = versions('targets').pop();
  const targets = Metadata.fromJSON(MetadataKind.Targets, JSON.parse(read(`${newest}.targets.json`)));
  store.root.verifyDelegate(MetadataKind.Targets, targets);
  if (role) targets.verifyDelegate(role, Metadata.fromJSON(MetadataKind.Targets, JSON.parse(fs.readFileSync(file))));

  const roles = Object.values(targets.signed.delegations.roles);
  return {
    root: store.root.signed.version,
    version: targets.signed.version,
    roles: Object.fromEntries(roles.map((each) => [each.name, { keys: each.keyIDs, threshold: each.threshold, paths: each.paths }])),
  };
}

function envelope(file, key) {
  const { crypto, dsse } = require('@sigstore/core');
  const found = JSON.parse(fs.readFileSync(file));
  const payload = Buffer.from(found.payload, 'base64');
  const signed = dsse.preAuthEncoding(found.payloadType, payload);
  const pem = crypto.createPublicKey(fs.readFileSync(key, 'utf8'));
  const hash = pem.asymmetricKeyType === 'ec' ? 'sha256' : undefined;
  const holds = (each) => crypto.verify(signed, pem, Buffer.from(each.sig, 'base64'), hash);
  if (!found.signatures.some(holds)) throw new Error('no signature holds');
  return JSON.parse(payload);
}

const [what, ...rest] = process.argv.slice(2);
process.stdout.write(JSON.stringify({ policy, envelope }[what](...rest)));
