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
  HostConflict: 'an older MCPCredential is for the same host of the same pod, and nothing tells the two apart',
  EnvConflict: 'an older MCPCredential sets the same environment variable of the same pod',
  Suspended: 'the credential is suspended',
  CredentialDeleted: 'the MCPCredential was deleted',
  // The use of the credential
  CredentialRefused: 'the upstream refuses the credential',
  NewVersionRefused: 'the upstream refuses the new version, and calls fall back to the one before',
  ProbeRefused: 'the upstream refused the new version to the pod that tried it',
  AccountChanged: 'the new version is of another account than the one in use',
  RolledBack: 'the new version was refused: the pods stay on the one before, or went back to it',
  ExpiringSoon: 'the version in use ends soon: write a new one to the source',
  Expired: 'the version in use has ended: write a new one to the source',
  RotationDue: 'the version in use is older than spec.rotationDueDays: write a new one to the source',
  RestartRequired: 'pods that match were created before the credential or its hosts: restart them',
  // A call on its way out
  HostNotConfigured: 'no credential of this pod is for this host',
  HostRefused:
    'no credential of this pod is for this host, and its proxy refuses all others: set others: Tunnel in spec.via to let them pass',
  CallNotAllowed: 'spec.allow of the credential holds no such method and path',
  CallInClear: 'a credential does not travel in clear: call this host by https',
  RequestInvalid: 'the request is not valid HTTP/1.1',
  BodyTooLarge: 'a body in which jsonField may have to put the value holds 1 MiB at most',
  BodyNotSearchable: 'the body is in a coding in which jsonField cannot look for the placeholder: send it without Content-Encoding',
  RequestTimeout: 'the rest of the request did not come in time',
  CallLimitReached: 'too many calls with this credential are under way',
  MethodNotSupported: 'CONNECT and TRACE are not forwarded',
  UpstreamUnreachable: 'the upstream cannot be reached',
  UpstreamNameNotFound: 'the upstream host has no address',
  UpstreamAddressForbidden: 'the upstream host resolves to a loopback, link-local or metadata address',
  UpstreamCertificateInvalid: 'the upstream certificate does not verify',
  UpstreamTimeout: 'the upstream did not accept the connection in time',
  UpstreamReset: 'the upstream closed the connection before it answered',
  AnswerNotSearchable: 'the answer is in a coding in which scrubResponses cannot look for the value',
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

/** The same for what is no failure: with these, all that conditions and events say. */
export const standings = {
  // Not known yet
  Pending: 'the first answer is still to come',
  NoPods: 'no running pod carries the credential',
  NoCallsYet: 'no call has been answered with this version yet',
  // The use of the credential
  CallsSucceed: 'the upstream accepts the version in use',
  Resumed: 'the credential is no longer suspended',
  MetadataRead: 'the operator reads the metadata of the secret',
  ReadByPods: 'the pods read the secret, and the operator may not',
  LoggedIn: 'the operator logs in, and no credential reads here yet',
  NoRestartNeeded: 'no running pod would gain from a restart',
  // A rotation
  RotationStarted: 'there is a new version',
  Probing: 'one pod tries the new version before any other gets it',
  ProbeAccepted: 'the upstream accepted the new version from the pod that tried it',
  Canary: 'some pods use the new version before the others get it',
  RollingOut: 'all pods are told to use the version, and some do not yet',
  AllPodsCurrent: 'every pod uses the version',
  RotationComplete: 'every pod uses the new version',
  // Whether the version before may be revoked
  NoPodUsesIt: 'no pod can use the version before any more',
  SafeToRevoke: 'the version before may be revoked',
  NotSafeToRevoke: 'a pod can use the version before again',
  NewestVersion: 'it is the newest, which a refused call would try',
  PodsStarting: 'pods are starting that may use it',
  PodsNotBound: 'pods that match have no sidecar',
  VersionHeld: 'calls that carry another version are under way, or may fall back to it',
  GracePeriod: 'calls may fall back to it until graceSeconds are over',
  // Age
  NotExpiringSoon: 'the version in use does not end soon',
  NotExpired: 'the version in use has not ended',
  RotationNotDue: 'it is not time for a new version',
} as const;

/** A word of either list; Unknown is said of a word that only a newer sidecar knows. */
export type Word = Reason | keyof typeof standings | 'Unknown';

/** A failure with a reason from the closed list. `message` is one sentence and never holds a value or a provider's text. */
export class Failure extends Error {
  readonly reason: Reason;

  constructor(reason: Reason, message: string = reasons[reason]) {
    super(message);
    this.name = 'Failure';
    this.reason = reason;
  }
}
