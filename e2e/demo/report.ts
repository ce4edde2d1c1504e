export interface RotationResult {
  kind: 'overlap' | 'revoked at once' | 'rollback';
  credential: string;
  source: string;
  version: string;
  /** From the write to the vault (or the edit of the resource) until every pod was seen on the version. */
  millisecondsToAll: number;
  /** From the write until the upstream accepted the new key; not measured for a rollback. */
  millisecondsToFirstUse?: number;
}

export interface ServerRow {
  server: string;
  source: string;
  calls: number;
  failed: number;
  /** Refused on purpose, while the credential was suspended. */
  refusedOnPurpose: number;
  restarts: number;
  versions: string;
}

/** What `build/demo.json` holds. */
export interface Report {
  servers: number;
  calls: number;
  callsPerSecond: number;
  failed: number;
  refusedOnPurpose: number;
  restarts: number;
  rotations: RotationResult[];
  leaks: { where: string; form: string }[];
  /** How much was searched for leaks. */
  searchedMegabytes: number;
}

/** Rows as an aligned text table; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_title, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const numeric = head.map((_title, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(all[0] ?? []), line(widths.map((width) => '─'.repeat(width))), ...all.slice(1).map(line)].join('\n');
}

export function serverTable(rows: readonly ServerRow[]): string {
  const head = ['SERVER', 'SOURCE', 'CALLS', 'FAILED', 'REFUSED ON PURPOSE', 'RESTARTS', 'VERSIONS'];
  return table(
    head,
    rows.map((row) => [row.server, row.source, row.calls, row.failed, row.refusedOnPurpose, row.restarts, row.versions]),
  );
}

/** The one line that says whether the promise held. */
export function verdict(report: Report): string {
  const rotations = report.rotations.filter(({ kind }) => kind !== 'rollback').length;
  const slowest = Math.max(...report.rotations.map(({ millisecondsToFirstUse }) => millisecondsToFirstUse ?? 0));
  const count = (number: number): string => number.toLocaleString('en');
  return `${report.servers} servers, ${rotations} rotations, ${count(report.calls)} calls: ${report.failed} failed, ${report.restarts} restarts, ${report.leaks.length} leaks; slowest change to first use ${(slowest / 1000).toFixed(1)} s`;
}

/** What broke the promise, a sentence each; none when it held. */
export function broken(report: Report): string[] {
  const problems: string[] = [];
  if (report.calls === 0) problems.push('no call was made');
  if (report.failed > 0) problems.push(`${report.failed} calls failed`);
  if (report.restarts > 0) problems.push(`containers restarted ${report.restarts} times`);
  if (report.leaks.length > 0) problems.push(`a value was found in ${report.leaks.map(({ where }) => where).join(', ')}`);
  if (report.refusedOnPurpose === 0) problems.push('the suspended credential refused no call');
  return problems;
}
