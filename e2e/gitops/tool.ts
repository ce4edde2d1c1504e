/** A GitOps tool that runs against the test cluster, as its users see it. */
export interface Tool {
  /** Makes `manifests` what the repository has under this name and brings them into `namespace`; resolves when the tool says that it is done and all is healthy. */
  apply: (name: string, namespace: string, manifests: readonly object[]) => Promise<void>;
  /** Compares once more, now; resolves with the objects, as `Kind/name`, that differ from the repository. */
  drifted: (name: string) => Promise<string[]>;
}
