const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } }] },
  // Workspace packages are linked into node_modules; they are our own TypeScript, so they are transformed too.
  transformIgnorePatterns: ['/node_modules/(?!@rekey/)'],
};

// unit: beside the code, no network but loopback. integration: real servers as processes on loopback. e2e: the real cluster.
export default {
  watchman: false,
  // Against a hang, not a measure: on a fresh machine the unit tests share two cores with the build of a Kubernetes.
  testTimeout: 60_000,
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: ['<rootDir>/{lib,crds,operator,sidecar,charts,bench}/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.integration\\.test\\.ts$'],
    },
    { ...base, displayName: 'integration', testMatch: ['<rootDir>/{lib,crds,operator,sidecar,charts,bench,e2e}/**/*.integration.test.ts'] },
    { ...base, displayName: 'e2e', testMatch: ['<rootDir>/e2e/**/*.e2e.ts'] },
  ],
};
