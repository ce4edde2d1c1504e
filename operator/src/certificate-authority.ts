import './reflect.ts';
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto';

// Loaded when it is used, which is after reflect.ts in every loader.
const library = async () => import('@peculiar/x509');

/** Common to all CAs of all replicas, so that a bundle's certificates can be told from others'. */
export const authoritySubject = 'rekey-operator webhook CA';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const hour = 3_600_000;
const authorityLifetime = 10 * 24 * hour;
const servingLifetime = 24 * hour;
/** How much earlier than now a certificate begins, for clocks of API servers that run behind. */
const allowance = 2 * hour;

interface Validity {
  notBefore: Date;
  notAfter: Date;
}

/** A CA that lives in this process alone: its private key cannot be exported. */
export interface Authority extends Validity {
  cert: string;
  subject: string;
  keys: webcrypto.CryptoKeyPair;
}

export interface Serving extends Validity {
  cert: string;
  key: string;
  authority: Authority;
}

/** `lifetime` is in milliseconds. */
export async function createAuthority(now: Date, lifetime = authorityLifetime): Promise<Authority> {
  const x509 = await library();
  const keys = await generateKeys(false);
  // A name of its own for each: verifiers look issuers up by name.
  const subject = `CN=${authoritySubject} ${randomBytes(4).toString('hex')}`;
  const validity = validityFrom(now, lifetime);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: subject,
    keys,
    signingAlgorithm: algorithm,
    serialNumber: serialNumber(),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { ...validity, cert: `${certificate.toString('pem')}\n`, subject, keys };
}

/** A certificate for the given DNS names. It never outlives its CA. */
export async function createServing(
  authority: Authority,
  names: readonly string[],
  now: Date,
  lifetime = servingLifetime,
): Promise<Serving> {
  const x509 = await library();
  const keys = await generateKeys(true);
  const validity = validityFrom(now, lifetime);
  const notAfter = validity.notAfter < authority.notAfter ? validity.notAfter : authority.notAfter;
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity,
    notAfter,
    subject: `CN=${names[0]?.slice(0, 64) ?? ''}`,
    issuer: authority.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: algorithm,
    serialNumber: serialNumber(),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
    ],
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { notBefore: validity.notBefore, notAfter, cert: certificate.toString('pem'), key, authority };
}

/** Renewed at two thirds of the life that is left to it from its making, or when the clock has gone back before its beginning. */
export function isDue({ notBefore, notAfter }: Validity, now: Date): boolean {
  const begin = notBefore.getTime() + allowance;
  const due = begin + ((notAfter.getTime() - begin) * 2) / 3;
  return now.getTime() >= due || now < notBefore;
}

/** The certificates of a PEM bundle that are CAs of an operator and have not run out; what cannot be read counts as none. */
export function authoritiesIn(bundle: string, now: Date): string[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu) ?? [];
  return blocks.map((block) => `${block}\n`).filter((block) => isLiving(block, now));
}

function isLiving(pem: string, now: Date): boolean {
  try {
    const { subject, validToDate } = new X509Certificate(pem);
    return subject.startsWith(`CN=${authoritySubject} `) && validToDate > now;
  } catch {
    return false;
  }
}

function validityFrom(now: Date, lifetime: number): Validity {
  return { notBefore: new Date(now.getTime() - allowance), notAfter: new Date(now.getTime() + lifetime) };
}

async function generateKeys(extractable: boolean): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, extractable, ['sign', 'verify']);
}

/** 127 random bits with the first one clear: positive and without a leading zero byte (RFC 5280 section 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}
