// Loaded by tls-worker.ts alone: @peculiar/x509 costs 7.5 MB of private memory, which the sidecar would keep for its whole life.
import './reflect.ts';
import { createPrivateKey, webcrypto } from 'node:crypto';
import * as asn1 from '@peculiar/asn1-schema';
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints, id_ce_nameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';

/** A certificate and its key, as PEM. */
export interface KeyPair {
  key: string;
  certificate: string;
}

export interface Order {
  /** Names without ports. */
  hosts: readonly string[];
  /** Milliseconds since 1970. */
  now: number;
  /** The pod's CA when it has one. */
  ca?: KeyPair;
}

export interface Delivery {
  ca: KeyPair;
  leaf: KeyPair;
}

const hour = 3_600_000;
const day = 24 * hour;
/** Longer than any pod. */
const caDays = 3650;
export const leafDays = 7;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
type Keys = webcrypto.CryptoKeyPair;

/** Makes a leaf for the hosts, and the CA too when there is none. Valid from an hour ago: clocks differ. */
export async function issue({ hosts, now, ca }: Order): Promise<Delivery> {
  x509.cryptoProvider.set(webcrypto);
  const authority = ca ?? (await createAuthority(hosts, now));
  return { ca: authority, leaf: await createLeaf(hosts, now, authority) };
}

async function createAuthority(hosts: readonly string[], now: number): Promise<KeyPair> {
  const keys = await generate();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=Rekey pod CA',
    ...validity(now, caDays),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.Extension(id_ce_nameConstraints, true, asn1.AsnConvert.serialize(constraints(hosts))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { key: await pemOf(keys), certificate: certificate.toString('pem') };
}

/** RFC 5280 section 4.2.1.10: whoever steals this CA's key can stand for no other host, and for no IP address. */
function constraints(hosts: readonly string[]): NameConstraints {
  // A constraint holds for all names below it: it knows no wildcards.
  const permitted = hosts.map((host) => new GeneralSubtree({ base: new GeneralName({ dNSName: host.replace(/^\*\./u, '') }) }));
  const excluded = ['0.0.0.0/0.0.0.0', '::/::'].map((iPAddress) => new GeneralSubtree({ base: new GeneralName({ iPAddress }) }));
  return new NameConstraints({ permittedSubtrees: new GeneralSubtrees(permitted), excludedSubtrees: new GeneralSubtrees(excluded) });
}

async function createLeaf(hosts: readonly string[], now: number, ca: KeyPair): Promise<KeyPair> {
  const issuer = new x509.X509Certificate(ca.certificate);
  const keys = await generate();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'CN=Rekey sidecar',
    issuer: issuer.subject,
    ...validity(now, leafDays),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await importKey(ca.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns' as const, value }))),
      // Python 3.13 verifies strictly: without the two identifiers it refuses the chain.
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { key: await pemOf(keys), certificate: certificate.toString('pem') };
}

function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - hour), notAfter: new Date(now + days * day) };
}

function generate(): Promise<Keys> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** 16 random bytes, positive and without a leading zero (RFC 5280 section 4.1.2.2). */
function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function pemOf({ privateKey }: Keys): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' });
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' });
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}
