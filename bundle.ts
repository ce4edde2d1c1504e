import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';

// `npm run bundle [operator] [sidecar]`: build/<program>/main.js and its chunks. What is imported only when it is used
// (a source's client) lies in a chunk of its own, so that a sidecar does not pay for it in memory and start-up.
const programs = {
  operator: ['main'],
  sidecar: ['main', 'tls/tls-worker'],
};
type Program = keyof typeof programs;

// Libraries in CommonJS call `require` and look at `__dirname`, which an ES module does not have.
const banner =
  "import{createRequire as rekeyRequire}from'node:module';const require=rekeyRequire(import.meta.url),__dirname=import.meta.dirname,__filename=import.meta.filename;";

/** Libraries in CommonJS that are imported when they are used: esbuild gives such an import the default export alone, Node all names. */
const lazyCommonJs = /^(node-vault|prom-client)$/;
const namesOfCommonJs: Plugin = {
  name: 'names-of-commonjs',
  setup: (esbuild) => {
    esbuild.onResolve({ filter: lazyCommonJs }, ({ kind, path, resolveDir }) =>
      kind === 'dynamic-import' ? { path, namespace: 'lazy', pluginData: resolveDir } : undefined,
    );
    esbuild.onLoad({ filter: lazyCommonJs, namespace: 'lazy' }, async ({ path, pluginData }) => {
      const names = Object.keys((await import(path)) as object).filter((name) => /^\w+$/u.test(name));
      return { contents: `export { ${names.join(', ')} } from '${path}';`, resolveDir: pluginData as string };
    });
  },
};

/** node-vault imports axios in any case, and calls it only without a transport of ours. Loaded, it costs a sidecar 6 MB. */
const withoutAxios: Plugin = {
  name: 'without-axios',
  setup: (esbuild) => {
    esbuild.onResolve({ filter: /^axios$/ }, ({ path }) => ({ path, namespace: 'empty' }));
    esbuild.onLoad({ filter: /./, namespace: 'empty' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
  },
};

/**
 * Google's client asks its library for REST and for its log; the whole of the library brings gRPC with it. REST in turn asks for what
 * looks for credentials everywhere, unless it is given some: a sidecar has its own.
 */
const googleOverRest: Plugin = {
  name: 'google-over-rest',
  setup: (esbuild) => {
    const contents = "module.exports = { ...require('google-gax/fallback'), loggingUtils: require('google-logging-utils') };";
    esbuild.onResolve({ filter: /^google-gax$/ }, ({ path, resolveDir }) => ({ path, namespace: 'rest', pluginData: resolveDir }));
    esbuild.onLoad({ filter: /./, namespace: 'rest' }, ({ pluginData }) => ({ contents, resolveDir: pluginData as string }));
    esbuild.onResolve({ filter: /^google-auth-library$/ }, ({ path }) => ({ path, namespace: 'no-google-auth' }));
    esbuild.onLoad({ filter: /./, namespace: 'no-google-auth' }, () => ({ contents: 'exports.GoogleAuth = class {};', loader: 'js' }));
  },
};

/** What AWS' client looks for credentials with unless it is given some: files, processes, metadata services. A sidecar has its own. */
const withoutCredentialChain: Plugin = {
  name: 'without-credential-chain',
  setup: (esbuild) => {
    esbuild.onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, ({ path }) => ({ path, namespace: 'no-chain' }));
    esbuild.onLoad({ filter: /./, namespace: 'no-chain' }, () => ({ contents: 'export const defaultProvider = undefined;', loader: 'js' }));
  },
};

async function bundle(program: Program): Promise<void> {
  const outdir = `build/${program}`;
  await rm(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: programs[program].map((name) => `${program}/src/${name}.ts`).filter((entry) => existsSync(entry)),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    mainFields: ['module', 'main'],
    plugins: [namesOfCommonJs, withoutAxios, googleOverRest, withoutCredentialChain],
    minify: true,
    legalComments: 'external',
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    banner: { js: banner },
    metafile: true,
    logLevel: 'warning',
  });
  await writeFile(`${outdir}/package.json`, '{ "type": "module" }\n');
  for (const [file, { bytes }] of Object.entries(metafile.outputs)) {
    if (file.endsWith('.js')) process.stdout.write(`${file} ${Math.ceil(bytes / 1024)} KiB\n`);
  }
}

process.chdir(import.meta.dirname);
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in programs));
if (unknown.length > 0) throw new Error(`there is no ${unknown.join()}: choose from ${Object.keys(programs).join(', ')}`);
for (const program of Object.keys(programs) as Program[]) if (asked.length === 0 || asked.includes(program)) await bundle(program);
