# The kernel's target, set up by hand: a file in memory behind LUN 0, open to everyone
# or to whoever knows the secret.
set -e
target=/sys/kernel/config/target
mount -t tmpfs -o size=192m disks /tmp
unit=$target/core/fileio_0/disk
mkdir -p $unit
echo "fd_dev_name=/tmp/disk,fd_dev_size=67108864" > $unit/control
echo 4d795f4279776179 > $unit/wwn/vpd_unit_serial
echo 1 > $unit/enable
echo 1 > $unit/attrib/emulate_tpu
echo 1 > $unit/attrib/emulate_tpws
group=$target/iscsi/@TARGET@/tpgt_1
mkdir -p $group/lun/lun_0 $group/np/@ADDRESS@:3260
ln -s $unit $group/lun/lun_0/disk
user='@USER@'
if [ -n "$user" ]; then
    echo 1 > $group/attrib/authentication
    printf %s "$user" > $group/auth/userid
    printf %s '@SECRET@' > $group/auth/password
else
    echo 0 > $group/attrib/authentication
fi
echo 0 > $group/attrib/demo_mode_write_protect
echo 1 > $group/attrib/generate_node_acls
echo 1 > $group/attrib/cache_dynamic_acls
echo 1 > $group/enable
echo "@@READY $(cut -d' ' -f1 /proc/uptime)"
# The host ends the guest.
while true; do sleep 1000; done
