import type { MetadataSource, PollContext } from './poll.ts';

/** A source whose client is loaded with the first store of its kind: each costs tens of megabytes, and most clusters have one. */
export function whenUsed(load: () => Promise<(context: PollContext) => MetadataSource>): (context: PollContext) => MetadataSource {
  return (context) => {
    const opened = load().then((open) => open(context));
    // Told by the first question.
    opened.catch(() => undefined);
    return {
      versions: async (source) => (await opened).versions(source),
      check: async () => (await opened).check(),
      close: () =>
        void opened.then(
          (source) => source.close(),
          () => undefined,
        ),
    };
  };
}
