// Apart from the schema, since the sidecar is spared zod.

/** What holds for a credential without `spec.rotation`. */
export const rotationDefaults = {
  canaryPods: 0,
  canarySeconds: 60,
  graceSeconds: 0,
  refusalThreshold: 50,
  expiryWarningDays: 14,
} as const;
