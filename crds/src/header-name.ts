// Apart from the schema: the sidecar needs this at run time, and zod would cost it 7 MB.

/** What makes two header names one: no case, and `_` and `-` are one to servers that hand headers on as variables (RFC 3875 section 4.1.18). */
export const canonicalHeader = (name: string): string => name.toLowerCase().replaceAll('_', '-');
