import { BlockList } from 'node:net';

type Subnet = readonly [address: string, prefix: number];

const loopback: readonly Subnet[] = [
  ['127.0.0.0', 8],
  ['::1', 128],
];

/**
 * Where no upstream lives, but things that trust whoever reaches them: this host, link-local neighbours and the clouds' metadata
 * services. Private addresses are allowed: a vault or an API inside the cluster has one.
 */
const forbidden: readonly Subnet[] = [
  ['0.0.0.0', 8], // this host (RFC 6890)
  ['169.254.0.0', 16], // link-local, and the metadata services of AWS, GCP, Azure and others
  ['100.100.100.200', 32], // metadata, Alibaba Cloud
  ['168.63.129.16', 32], // wire server, Azure
  ['192.0.0.192', 32], // metadata, Oracle Cloud
  ['224.0.0.0', 3], // multicast, reserved and broadcast
  ['fe80::', 10], // link-local
  ['fd00:ec2::254', 128], // metadata, AWS
  ['fd20:ce::254', 128], // metadata, GCP
  ['ff00::', 8], // multicast
];

/** Forms in which an IPv6 address means an IPv4 one. The mapped form (::ffff:0:0/96) is the BlockList's own business. */
const translated = (address: string): readonly string[] => [`64:ff9b::${address}`, `::${address}`];

function listOf(subnets: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) {
    if (address.includes(':')) {
      list.addSubnet(address, prefix, 'ipv6');
      continue;
    }
    list.addSubnet(address, prefix, 'ipv4');
    for (const form of translated(address)) list.addSubnet(form, 96 + prefix, 'ipv6');
  }
  return list;
}

const strict = listOf([...loopback, ...forbidden]);
const lenient = listOf(forbidden);

/** Whether an upstream may not have this address. `allowLoopback` is for servers on the same machine, such as in tests. */
export function isForbiddenAddress(address: string, allowLoopback = false): boolean {
  // Apart, since ::/104 (IPv4-compatible "this host") contains it.
  if (address === '::1') return !allowLoopback;
  // A zone (fe80::1%eth0) is local by nature and no BlockList reads it.
  return address.includes('%') || (allowLoopback ? lenient : strict).check(address, address.includes(':') ? 'ipv6' : 'ipv4');
}
