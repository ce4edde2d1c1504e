/** Who somebody is: `principal://…/subject/…`, and the sets that he is in; or a service account. */
export type Members = readonly string[];

export interface Grant {
  member: string;
  role: string;
  /** A secret `projects/P/secrets/S`, a project `projects/P`, or a service account `serviceAccounts/EMAIL`. */
  resource: string;
}

/** https://cloud.google.com/secret-manager/docs/access-control: what each role may, as far as it is asked here. */
const permissions: Readonly<Record<string, readonly string[]>> = {
  'roles/secretmanager.secretAccessor': ['secretmanager.versions.access'],
  'roles/secretmanager.viewer': [
    'secretmanager.secrets.get',
    'secretmanager.secrets.list',
    'secretmanager.versions.get',
    'secretmanager.versions.list',
  ],
  'roles/iam.workloadIdentityUser': ['iam.serviceAccounts.getAccessToken'],
};

export function isRole(role: string): boolean {
  return permissions[role] !== undefined;
}

/** A grant on a project holds for all in it. */
export function may(members: Members, permission: string, resource: string, grants: readonly Grant[]): boolean {
  return grants.some(
    (grant) =>
      members.includes(grant.member) &&
      (grant.resource === resource || resource.startsWith(`${grant.resource}/`)) &&
      permissions[grant.role]?.includes(permission) === true,
  );
}
