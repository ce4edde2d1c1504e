import { z } from 'zod';
import { objectName, time } from './parts.ts';
import type { Rule } from './rule.ts';
import { withRules } from './rule.ts';
import type { CredentialSource } from './source.ts';
import { rotationDefaults } from './rotation-defaults.ts';

/** Version, source or reason as a status holds it. */
const word = z.string().max(64);

const probeHeader = z.object({
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z0-9!#$%&*+.^_|~-]+$/),
  value: z
    .string()
    .max(256)
    .regex(/^[ -~]*$/),
});

const bodyless: Rule<{ method: string; sameAccountField?: string | undefined }> = {
  cel: `!has(self.sameAccountField) || self.method != 'HEAD'`,
  message: 'the answer to HEAD has no body, so no sameAccountField: use method GET',
  holds: ({ method, sameAccountField }) => sameAccountField === undefined || method !== 'HEAD',
};

const probe = withRules(
  z
    .object({
      method: z.enum(['GET', 'HEAD', 'POST']).default('GET'),
      host: z.string().min(1).max(253).optional().meta({ description: 'One of hosts; the first of them unless given.' }),
      path: withRules(z.string().min(1).max(1024), [
        {
          cel: `self.matches('^/[!-~]*$') && !self.contains('#')`,
          message: 'the path of a probe starts with a slash and is as it is sent: no space, no fragment, such as /user',
          holds: (path) => /^\/[!-~]*$/u.test(path) && !path.includes('#'),
        },
      ]).meta({ description: 'A read-only request, such as /user, that every good credential may make.' }),
      headers: z
        .array(probeHeader)
        .max(8)
        .default([])
        .meta({ description: 'What the upstream demands besides, such as Notion-Version.', 'x-kubernetes-list-type': 'atomic' }),
      expectedStatus: z.int().min(200).max(599).default(200).meta({ description: 'The status that a good credential gets.' }),
      sameAccountField: z
        .string()
        .min(1)
        .max(128)
        .regex(/^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$/)
        .optional()
        .meta({
          description:
            'Field of the JSON answer, dotted when nested, that tells whose credential it is: it must not change, such as login.',
        }),
    })
    .meta({
      description: 'A request that one sidecar makes with a new version before any other pod gets it. Without a probe none is made.',
    }),
  [bodyless],
);
export type Probe = z.output<typeof probe>;

const seconds = (most: number, preset: number, description: string) => z.int().min(0).max(most).default(preset).meta({ description });

export const rotationSpec = z
  .object({
    probe: probe.optional(),
    canaryPods: z
      .int()
      .min(0)
      .max(10)
      .default(rotationDefaults.canaryPods)
      .meta({ description: 'Pods that get a new version before the others do.' }),
    canarySeconds: seconds(86_400, rotationDefaults.canarySeconds, 'How long these pods use it before the others get it.'),
    graceSeconds: seconds(
      86_400,
      rotationDefaults.graceSeconds,
      'For so long after a pod has changed over, a call whose new version is refused tries the one before once: some providers learn late of a new key.',
    ),
    refusalThreshold: z
      .int()
      .min(1)
      .max(100)
      .default(rotationDefaults.refusalThreshold)
      .meta({ description: 'Per cent of the pods that know: when the upstream refuses a new version to so many, it is rolled back.' }),
    refusalSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .optional()
      .meta({ description: 'How long that must last; half of graceSeconds unless given, and 10 at least.' }),
    expiryWarningDays: z
      .int()
      .min(0)
      .max(365)
      .default(rotationDefaults.expiryWarningDays)
      .meta({ description: 'How long before the end of a version, where it is known, ExpiringSoon tells of it.' }),
  })
  .optional()
  .meta({ description: 'How a new version comes to the pods. To all at once, as soon as it is there, unless given.' });
export type RotationSpec = z.output<typeof rotationSpec>;

interface Rotated {
  source: CredentialSource;
  hosts: string[];
  rotation?: RotationSpec;
}

/** What can be tried beforehand, and where. */
export const rotationRules: readonly Rule<Rotated>[] = [
  {
    cel: '!has(self.source.kubernetesSecret) || !has(self.rotation) || (!has(self.rotation.probe) && self.rotation.canaryPods == 0)',
    message: 'a Kubernetes Secret has no version that a pod could try before the others: leave probe and canaryPods out',
    holds: ({ source, rotation }) =>
      source.kubernetesSecret === undefined || rotation === undefined || (rotation.probe === undefined && rotation.canaryPods === 0),
  },
  {
    cel: `!has(self.rotation) || !has(self.rotation.probe) || (has(self.rotation.probe.host) ? self.rotation.probe.host in self.hosts && !self.rotation.probe.host.startsWith('*.') : !self.hosts[0].startsWith('*.'))`,
    message: 'a probe calls one exact host of hosts: name it in rotation.probe.host',
    holds: ({ hosts, rotation }) => {
      const host = rotation?.probe === undefined ? '' : (rotation.probe.host ?? hosts[0] ?? '');
      return rotation?.probe === undefined || (hosts.includes(host) && !host.startsWith('*.'));
    },
  },
];

export const triggers = ['Created', 'SourceChanged', 'VersionPinned', 'VersionUnpinned', 'SpecChanged', 'Requested'] as const;
export type Trigger = (typeof triggers)[number];

export const phases = ['Probing', 'Canary', 'RollingOut', 'Complete', 'RolledBack'] as const;
export type Phase = (typeof phases)[number];

const message = z.string().max(1024);

export const rotationStatus = z.object({
  phase: z.enum(phases),
  trigger: z.enum(triggers),
  candidate: word
    .optional()
    .meta({ description: 'The version that is being tried, or that was rolled back. In the other phases it is status.version.' }),
  pods: z
    .array(objectName)
    .max(10)
    .optional()
    .meta({ description: 'The pods that try it: the one that probes, or the canaries.', 'x-kubernetes-list-type': 'atomic' }),
  startedAt: time,
  since: time.optional().meta({ description: 'Since when it is in this phase; in Probing, since when this pod is asked.' }),
  acceptedAt: time.optional().meta({ description: 'When the upstream was first seen to accept the version.' }),
  refusedAt: time
    .optional()
    .meta({ description: 'Since when the upstream refuses the version to more pods than spec.rotation.refusalThreshold.' }),
  completedAt: time.optional(),
  reason: word.optional().meta({ description: 'Why it was rolled back.' }),
  message: message.optional(),
});
export type RotationStatus = z.output<typeof rotationStatus>;

export const historyEntry = z.object({
  version: word,
  at: time,
  trigger: z.enum(triggers),
  durationMilliseconds: z.int().min(0),
  result: z.enum(['Complete', 'Superseded', 'RolledBack']),
  reason: word.optional().meta({ description: 'Why it was rolled back.' }),
});
export type HistoryEntry = z.output<typeof historyEntry>;

/** A version that is not tried again until the spec is edited, or somebody asks by the annotation rekey.dev/refresh. */
export const rejectedEntry = z.object({
  version: word,
  source: word.optional(),
  reason: word,
  at: time,
  generation: z.int().min(0).meta({ description: 'The metadata.generation under which it was refused.' }),
  asked: z.string().max(64).optional().meta({ description: 'A hash of the annotation rekey.dev/refresh at that time.' }),
});
export type RejectedEntry = z.output<typeof rejectedEntry>;
