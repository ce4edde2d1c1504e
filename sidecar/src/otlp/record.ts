import type { Use, Who } from '../report/audit.ts';

/** The scope and the resource of all records: who writes them. */
export function envelope({ namespace, pod, serviceAccount }: Who): { before: string; after: string } {
  const resource = [
    attribute('service.name', 'rekey-sidecar'),
    attribute('k8s.namespace.name', namespace),
    attribute('k8s.pod.name', pod),
    attribute('k8s.serviceaccount.name', serviceAccount),
  ];
  return {
    before: `{"resourceLogs":[{"resource":{"attributes":[${resource.join()}]},"scopeLogs":[{"scope":{"name":"rekey.audit"},"logRecords":[`,
    after: ']}]}]}',
  };
}

/**
 * A line of the audit as a LogRecord of opentelemetry-proto's logs v1, in the JSON mapping of protobuf: 64-bit numbers are strings, ids are
 * hexadecimal (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). The line is the body, as it is on stdout.
 */
export function recordOf({ credential, version, reason, status, traceparent }: Use, line: string, milliseconds: number): string {
  const attributes = [
    ...(credential === undefined ? [] : [attribute('rekey.credential', credential)]),
    ...(version === undefined ? [] : [attribute('rekey.version', version)]),
    ...(reason === undefined ? [] : [attribute('rekey.reason', reason)]),
    `{"key":"http.response.status_code","value":{"intValue":"${status}"}}`,
  ];
  const time = `"timeUnixNano":"${milliseconds}000000","observedTimeUnixNano":"${milliseconds}000000"`;
  const severity = reason === undefined ? '"severityNumber":9,"severityText":"INFO"' : '"severityNumber":13,"severityText":"WARN"';
  const body = `"body":{"stringValue":${JSON.stringify(line)}}`;
  return `{${time},${severity},"eventName":"rekey.use",${body},"attributes":[${attributes.join()}]${traceOf(traceparent)}}`;
}

const attribute = (key: string, text: string): string => `{"key":"${key}","value":{"stringValue":${JSON.stringify(text)}}}`;

/** All zeros are no ids (W3C Trace Context, sections 3.2.2.3 and 3.2.2.4). */
const traceparentPattern = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/u;

function traceOf(traceparent: string | undefined): string {
  const [, trace, span, flags = '00'] = traceparentPattern.exec(traceparent ?? '') ?? [];
  return trace === undefined ? '' : `,"traceId":"${trace}","spanId":"${span}","flags":${Number.parseInt(flags, 16)}`;
}
