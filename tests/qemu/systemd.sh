#!/bin/busybox sh
# The first process of the guest: becomes systemd, whose only target is guest.service.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
mkdir -p /run /tmp /root /home /var/lib
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
# Whatever hangs, it ends.
(sleep 150; reboot -f) &
exec /lib/systemd/systemd --log-target=journal --show-status=no
