/** Of OpenTelemetry's conventions for generative AI and MCP, in this order. */
const keys = ['gen_ai.tool.name', 'mcp.tool.name'];

/** MCP's names of tools; anything else could be a text of the model. */
const named = /^[A-Za-z0-9_./-]{1,128}$/u;

/** The tool that a server names in its W3C baggage; undefined where it names none. Never guessed from the call. */
export function toolOf(baggage: string | undefined): string | undefined {
  if (baggage === undefined) return undefined;
  const members = new Map(baggage.split(',').map(memberOf));
  return keys.map((key) => members.get(key)).find((name) => name !== undefined && named.test(name));
}

/** `key=value;properties`, with optional white space around each. */
function memberOf(text: string): [string, string] {
  const [pair = ''] = text.split(';', 1);
  const equals = pair.indexOf('=');
  return equals < 0 ? [pair.trim(), ''] : [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
}
