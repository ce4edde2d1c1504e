import { run } from './run.ts';
import { kubeconfig, kubectlPath } from './kube.ts';

/** Something that an identity may or may not do; `subresource` as in pods/exec, without `namespace` everywhere. */
export interface Action {
  verb: string;
  group?: string;
  resource: string;
  subresource?: string;
  namespace?: string;
}

/** Which of the actions the API server's authorizer allows to a service account, in their order. Rejects when it cannot be asked. */
export async function allowed(namespace: string, account: string, actions: readonly Action[]): Promise<boolean[]> {
  const reviews = actions.map((resourceAttributes) => ({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: `system:serviceaccount:${namespace}:${account}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      resourceAttributes,
    },
  }));
  const answer = await run(kubectlPath, ['create', '-f', '-', '-o', 'jsonpath={.status.allowed}{"\\n"}'], {
    env: { KUBECONFIG: kubeconfig },
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: reviews }),
  });
  const words = answer.trim().split('\n');
  if (words.length !== actions.length || words.some((word) => word !== 'true' && word !== 'false'))
    throw new Error(`${actions.length} questions to the authorizer got the answers ${words.join(' ')}`);
  return words.map((word) => word === 'true');
}
