# The cluster's processes: how each is called, started, found again and ended.
# shellcheck shell=bash
# shellcheck source=../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

netns=rekey ip=10.200.0.1 pods=10.244.0.0/16 services=10.96.0.0/16
components=(etcd containerd apiserver controller-manager scheduler kubelet proxy) # in the order of starting

# Sets `command`.
command_of() {
	local pki=$run/pki etc=$run/etc
	case $1 in
		etcd) command=(etcd --data-dir "$run/etcd" --unsafe-no-fsync --listen-peer-urls http://127.0.0.1:2380
			--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379) ;;
		containerd) command=(containerd --config "$etc/containerd.toml") ;;
		# The kubelet is reached by address: nothing here resolves the node's name.
		apiserver) command=("$bin/kube" kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address="$ip" --service-cluster-ip-range="$services"
			--allow-privileged=true "--authorization-mode=Node,RBAC" --enable-admission-plugins=NodeRestriction
			--tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" --cert-dir="$pki"
			--kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key"
			--kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP
			--service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
			--service-account-issuer=https://kubernetes.default.svc) ;;
		# Elsewhere an outage of the API server ends the leader, and its successor waits anew before it calls a node lost. This one goes on,
		# and would call the node lost, and its pods unready, before it hears of the first heartbeat. So it waits longer than any outage.
		controller-manager) command=("$bin/kube" kube-controller-manager --kubeconfig="$etc/controller-manager.conf" --leader-elect=false
			--root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" --use-service-account-credentials=true --cert-dir="$pki"
			--node-monitor-grace-period=1h) ;;
		scheduler) command=("$bin/kube" kube-scheduler --kubeconfig="$etc/scheduler.conf" --leader-elect=false) ;;
		kubelet) command=("$bin/kube" kubelet --kubeconfig="$etc/kubelet.conf" --config="$etc/kubelet.yaml" --root-dir="$run/kubelet"
			--hostname-override=node1 --node-ip="$ip" --cert-dir="$pki") ;;
		proxy) command=("$bin/kube" kube-proxy --kubeconfig="$etc/proxy.conf" --cluster-cidr="$pods" --hostname-override=node1
			--proxy-mode=iptables --conntrack-max-per-core=0) ;;
		*) fail "no component named $1; there are: ${components[*]}" ;;
	esac
}
log_of() { echo "$run/log/$1.log"; }

# A process by id, time of start and boot: no other process ever shares all three. False for the dead, zombies too.
identity() {
	local stat fields
	{ read -r stat < "/proc/$1/stat"; } 2> /dev/null || return 1
	read -ra fields <<< "${stat##*) }" # the name, in parentheses before this, may hold anything
	[ "${fields[0]}" != Z ] && echo "$1 ${fields[19]} $(< /proc/sys/kernel/random/boot_id)"
}
# pid_of NAME: the id of the running component.
pid_of() {
	local noted
	{ read -r noted < "$run/$1.pid"; } 2> /dev/null && [ "$(identity "${noted%% *}")" = "$noted" ] && echo "${noted%% *}"
}
alive() { pid_of "$1" > /dev/null; }

# Enters the network namespace alone: `ip netns exec` mounts a new /sys, in which the kubelet finds no cgroups.
start() {
	local command log pid
	if pid=$(pid_of "$1"); then
		kill -CONT "$pid" # it may be paused
		return
	fi
	command_of "$1"
	log=$(log_of "$1")
	mkdir -p "${log%/*}"
	nsenter --net="/run/netns/$netns" setsid "${command[@]}" >> "$log" 2>&1 < /dev/null 9>&- &
	identity $! > "$run/$1.pid" || fail "$1 did not start" "$log"
}
# stop NAME…: all at once; whatever still runs after three seconds (the API server would take up to a minute) is killed.
stop() {
	local name pid end=$((EPOCHSECONDS + 3))
	for name; do pid=$(pid_of "$name") && kill "$pid" && kill -CONT "$pid"; done
	for name; do
		while pid=$(pid_of "$name"); do
			[ $EPOCHSECONDS -lt $end ] || kill -KILL "$pid"
			sleep 0.05
		done
		rm -f "$run/$name.pid"
	done
}

api_ready() { kubectl get --raw /readyz --request-timeout=5s; }
node_ready() { [ "$(kubectl get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
dns_ready() { [ "$(kubectl -n kube-system get deployment coredns -o 'jsonpath={.status.readyReplicas}')" = 1 ]; }
dns_answers() { timeout 1 bash -c '< /dev/tcp/10.96.0.10/53'; } # so kube-proxy knows of services too
containerd_ready() { ctr -a "$run/containerd.sock" version; }
