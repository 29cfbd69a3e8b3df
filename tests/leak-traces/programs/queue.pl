#!/usr/bin/perl
# A Perl worker with a queue. Usage: queue.pl KIB_LOST_A_SECOND BURST: of each burst of seconds, a third is busy.
use strict;
use warnings;
use Time::HiRes qw(sleep time);

my ($kib, $burst) = @ARGV;
my ($lost, $began, $said) = (0, time, 0);
my @done;
$| = 1;
while (1) {
    my $now = time - $began;
    # Nobody removes what was worked on.
    if ($now - $burst * int($now / $burst) < $burst / 3) {
        for (1 .. $kib * 3 / 10) {
            push @done, { id => scalar @done, body => 'x' x 800 };
            $lost += 1024;
        }
    }
    if ($now - $said >= 1) {
        $said = $now;
        print "memory $lost\n";
    }
    sleep 0.1;
}
