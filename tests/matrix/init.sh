#!/bin/busybox sh
# The first process of the small server: 512 MB, swap, control groups of version 2, and sshd behind a network card.
# What is not busybox's is called by its path: its shell prefers its own.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /tmp /run/sshd
chmod 1777 /tmp
mount -t devpts devpts /dev/pts
mount -t cgroup2 groups /sys/fs/cgroup
hostname small
# Whatever hangs, it ends.
(sleep 400; reboot -f) &

for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover \
    virtio_net sch_netem zsmalloc lzo-rle zram; do
    insmod /modules/$module.ko
done
echo 256M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
chown -R 0:0 /etc
chmod 600 /etc/ssh/host
/opt/sshd -D -e -f /etc/ssh/config
reboot -f
