# The kernel's NBD driver before an NBD server, both in the guest: a file system over four sockets,
# a server that is killed in mid-write, a watcher that is killed, an export that grows, TCP.
server_at_socket='@SOCKET_SERVER@'
server_at_port='@PORT_SERVER@'
disk=/tmp/disk
socket=/run/nbd.sock
export="nbd+unix:///disk?socket=$socket"
device=/dev/nbd0
queue=/sys/block/nbd0/queue
log=/tmp/watch.log

fail() {
    echo "$1"
    tail -n 20 $log /tmp/server.log 2>/dev/null
    dmesg | tail -n 20
    exit "$2"
}

# Runs a command until it succeeds, for at most so many tenths of a second.
until_true() {
    tries=$1
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        usleep 100000
    done
}

serve() {
    rm -f $socket
    $server_at_socket >>/tmp/server.log 2>&1 &
    server=$!
    until_true 200 test -S $socket || fail "the server does not start" 10
}

watch() {
    byway nbd attach "$export" $device --watch --timeout 4s --dead-timeout 60s >>$log 2>&1 &
    watcher=$!
}

# Says what a command said that has to fail, and fails where it said something else.
refused() {
    words=$1
    shift
    "$@" >/tmp/refused 2>&1 && fail "$* should have failed" 11
    grep -q "$words" /tmp/refused || fail "$* said: $(cat /tmp/refused)" 11
}

size_is() { [ "$(cat /sys/block/nbd0/size)" = "$1" ]; }
count() { grep -c "$1" $log; }
log_has() { [ "$(count "$1")" -ge "${2:-1}" ]; }

write_file() {
    dd if=/dev/urandom of=/mnt/$1 bs=64k count=8 conv=fsync 2>/dev/null || fail "write of $1" 20
    (cd /mnt && sha256sum $1) >>/tmp/sums
}

written() { [ "$(wc -l </tmp/sums)" -ge "$1" ]; }

write_files() {
    for number in $(seq $2); do
        write_file $1$number
    done
}

now() { cut -d' ' -f1 /proc/uptime; }

rmmod nbd
refused 'modprobe nbd' byway nbd list
insmod /modules/nbd.ko nbds_max=2 || fail "no nbd" 12
refused 'start the server' byway nbd attach "$export" $device
truncate -s 64M $disk
serve
watch
until_true 200 log_has '^/dev/nbd0: ' || fail "nothing was attached" 13
until_true 50 size_is 131072 || fail "the size is $(cat /sys/block/nbd0/size) sectors" 13
[ "$(cat $queue/max_sectors_kb)" = 1024 ] || fail "max_sectors_kb: $(cat $queue/max_sectors_kb)" 14
byway nbd list --json | grep -q 'socket=/run/nbd.sock' || fail "not in the list" 14
refused 'in use by nbd+unix:///disk' byway nbd attach "nbd+unix:///other?socket=$socket" $device
echo "@@ATTACHED $(head -n 1 $log)"

mkfs.ext4 -q -F $device || fail "mkfs.ext4" 15
mount -t ext4 $device /mnt || fail "mount" 15
refused 'in use by /mnt' byway nbd detach $device
: >/tmp/sums
write_files a 12 &
writer=$!
until_true 200 written 3 || fail "the writer does not start" 16
killed=$(now)
kill -9 $server
usleep 1000000
serve
wait $writer || fail "the writer" 16
written 12 || fail "only $(wc -l </tmp/sums) files" 16
until_true 100 log_has ': replaced' || fail "nothing was replaced" 16
echo "@@RESUMED $(now) after a server killed at $killed: $(grep ': replaced' $log | tail -n 1)"

# A watcher that was killed, and a server while nobody watches: the same command takes it up again.
kill -9 $watcher
kill -9 $server
usleep 200000
serve
watch
until_true 100 log_has 'already' || fail "the device was not taken up again" 17
write_files b 4
kill -9 $watcher
kill -9 $server
serve
byway nbd attach "$export" $device || fail "attaching again" 17
write_files c 4
echo "@@TAKEN_UP $(now)"

# Only connections of its own can be made new by a watcher: these are, after the next restart.
watch
until_true 100 log_has 'already' 2 || fail "the device was not taken up again" 18
replaced=$(count ': replaced')
kill -9 $server
serve
until_true 100 log_has ': replaced' $((replaced + 1)) || fail "nothing was replaced" 18
truncate -s 96M $disk
until_true 200 size_is 196608 || fail "the device did not grow" 18
resize2fs $device >/dev/null || fail "resize2fs" 18
write_files d 4
echo "@@GREW $(tail -n 1 $log)"

umount /mnt || fail "umount" 19
echo 3 >/proc/sys/vm/drop_caches
e2fsck -fn $device || fail "the file system is broken" 21
mount -t ext4 -o ro $device /mnt || fail "mount" 21
(cd /mnt && sha256sum -c /tmp/sums >/tmp/checked) || fail "$(grep -v OK /tmp/checked)" 22
[ "$(wc -l </tmp/checked)" = 24 ] || fail "$(wc -l </tmp/checked) files" 22
umount /mnt
byway nbd detach $device || fail "detach" 23
wait $watcher || fail "the watcher" 23
byway nbd list | grep -q 'nothing is attached' || fail "still there" 23
kill -9 $server

$server_at_port >>/tmp/server.log 2>&1 &
server=$!
until_true 200 byway nbd attach nbd://127.0.0.1/disk /dev/nbd1 --read-only --connections 2 ||
    fail "attach over TCP" 24
e2fsck -fn /dev/nbd1 >/dev/null || fail "the file system over TCP" 24
dd if=/dev/zero of=/dev/nbd1 bs=4k count=1 2>/dev/null && fail "a read-only device took a write" 24
byway nbd detach /dev/nbd1 || fail "detach" 24
kill -9 $server
echo "@@TCP $(now)"
exit 0
