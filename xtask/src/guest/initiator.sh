# The kernel's initiator: login, write, logout, login, read back, compare.
target=@TARGET@
portal=@PORTAL@

fail() {
    echo "$1"
    dmesg | tail -n 20
    exit "$2"
}

disk() {
    for try in $(seq 100); do
        for name in sda sdb sdc; do
            if [ -b /dev/$name ] && [ "$(cat /sys/block/$name/size)" -gt 0 ]; then
                echo /dev/$name
                return
            fi
        done
        usleep 100000
    done
}

login() {
    iscsiadm -m node -T $target -p $portal --login || fail "login failed" 11
    found=$(disk)
    [ -n "$found" ] || fail "no disk after the login" 12
}

iscsid -f -c /etc/iscsi/iscsid.conf -i /etc/iscsi/initiatorname.iscsi &
# Each try connects six times, a second apart.
for try in 1 2 3; do
    iscsiadm -m discovery -t sendtargets -p $portal && break
done
[ -d /etc/iscsi/nodes/$target ] || fail "$portal offers no $target" 10
login
echo "@@LOGIN $found of $(cat /sys/block/${found#/dev/}/size) sectors"
dd if=/dev/urandom of=/tmp/pattern bs=1M count=8 2>/dev/null
dd if=/tmp/pattern of=$found bs=64k oflag=direct || fail "write failed" 13
dd if=/tmp/pattern of=$found bs=4k count=64 seek=4096 oflag=direct || fail "write failed" 13
sync
iscsiadm -m node -T $target -p $portal --logout || fail "logout failed" 14
login
dd if=$found of=/tmp/back bs=1M count=8 iflag=direct || fail "read failed" 15
cmp /tmp/pattern /tmp/back || fail "what came back differs" 16
dd if=$found of=/tmp/back bs=4k count=64 skip=4096 iflag=direct || fail "read failed" 15
head -c 262144 /tmp/pattern | cmp - /tmp/back || fail "what came back differs" 16
iscsiadm -m node -T $target -p $portal --logout || fail "logout failed" 14
exit 0
