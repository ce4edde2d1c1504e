/**
 * The closed list of reasons why something failed. The same word stands in the condition, the event, the metric label,
 * the log field, the audit line and the `rekey-error` header; a reader who has met it once can search for it everywhere.
 * The sentence is what a person should know or do; callers add the particulars (which path, which role) where they know them.
 */
export const reasons = {
  // The source of the secret
  SourceUnreachable: 'the vault cannot be reached',
  SourceSealed: 'the vault is sealed',
  SourceThrottled: 'the vault asks for fewer requests',
  SourceDenied: 'the vault refuses this identity: check the role, its audience and its policy',
  SourceResponseInvalid: 'the vault answered something that is not a secret',
  SecretNotFound: 'there is no secret at this path',
  KeyNotFound: 'the secret has no such key',
  VersionNotFound: 'the secret has no such version',
  VersionDeleted: 'this version of the secret was deleted',
  VersionDestroyed: 'this version of the secret was destroyed',
  VersionDisabled: 'this version of the secret is disabled',
  SecretValueEmpty: 'the value is empty',
  SecretValueInvalid: 'the value holds a line break or another character that a request cannot carry, or is no value at all',
  SecretValueNotString: 'the value is not a string',
  SecretValueTooLarge: 'the value is larger than a request can carry',
  // The resources
  StoreNotFound: 'there is no MCPCredentialStore of this name',
  StoreNotAllowed: 'the MCPCredentialStore does not allow this namespace',
  HostConflict: 'an older MCPCredential puts a credential into calls to the same host of the same pod',
  EnvConflict: 'an older MCPCredential sets the same environment variable of the same pod',
  Suspended: 'the credential is suspended',
  CredentialDeleted: 'the MCPCredential was deleted',
  // The use of the credential
  CredentialRefused: 'the upstream refuses the credential',
  RestartRequired: 'pods that match were created before the credential or its hosts: restart them',
  // A call on its way out
  HostNotConfigured: 'no credential of this pod is for this host',
  RequestInvalid: 'the request is not valid HTTP/1.1',
  MethodNotSupported: 'CONNECT and TRACE are not forwarded',
  UpstreamUnreachable: 'the upstream cannot be reached',
  UpstreamNameNotFound: 'the upstream host has no address',
  UpstreamAddressForbidden: 'the upstream host resolves to a loopback, link-local or metadata address',
  UpstreamCertificateInvalid: 'the upstream certificate does not verify',
  UpstreamTimeout: 'the upstream did not accept the connection in time',
  UpstreamReset: 'the upstream closed the connection before it answered',
  // A pod that cannot be injected
  NoCredential: 'no MCPCredential of the namespace selects this pod',
  HostNetwork: 'a pod on the host network has no hosts file or port 443 of its own',
  PortTaken: 'a container listens on a port that the sidecar needs',
  NameTaken: 'the pod uses a name that belongs to the sidecar',
  HostsFileMounted: 'a container mounts its own /etc/hosts',
  HostAliasTaken: 'the pod gives the host another address',
  TrustVariableTaken: 'a container sets a trust variable that the sidecar needs',
  ProxyVariableTaken: 'a container sets a proxy variable that the sidecar needs',
  SharedProcessNamespace: 'containers that share processes could read the memory of the sidecar',
  WindowsPod: 'Windows pods have no sidecar',
  PodInvalid: 'the pod cannot be read',
  // A pod that is injected, and that its owner should look at
  EquivalentIdentity: 'a container of the pod holds an identity that might read the secret without the sidecar',
} as const;

export type Reason = keyof typeof reasons;

/** A failure with a reason from the closed list. `message` is one sentence and never holds a value or a provider's text. */
export class Failure extends Error {
  readonly reason: Reason;

  constructor(reason: Reason, message: string = reasons[reason]) {
    super(message);
    this.name = 'Failure';
    this.reason = reason;
  }
}
