/**
 * node:http, without `import`: an import evaluates every export, and the getter of `WebSocket` loads all of undici (3.2 MB of private
 * memory and 20 to 60 ms, Node 26.10). Import types from 'node:http' itself; they cost nothing.
 */
export const http = process.getBuiltinModule('node:http');
