#!/bin/sh
# Runs once in the base image, after image/rootfs and shims/rootfs were copied in.
set -eu

useradd --create-home --shell /bin/bash --groups sudo,docker nvidia
install -d -m 0700 -o nvidia -g nvidia /home/nvidia/.ssh
echo 'nvidia ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/nvidia
chmod 0440 /etc/sudoers.d/nvidia
install -d -m 0755 /etc/rack /etc/rack/faults /etc/netplan /var/lib/rack

# Each node brings its own.
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id

# netplan starts networkd by itself where a file asks for it. Timers would only disturb measurements.
systemctl disable systemd-networkd.service systemd-networkd.socket 2> /dev/null || true
systemctl enable NetworkManager.service docker.service ssh.service
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer console-getty.service getty@tty1.service systemd-remount-fs.service
if [ -e /etc/systemd/system/rack-shims.service ]; then
    systemctl enable rack-shims.service
fi
rm "$0"
