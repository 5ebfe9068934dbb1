# Counts on the disk, before, while and after the guest is moved.
counter /dev/vda
exit 1
