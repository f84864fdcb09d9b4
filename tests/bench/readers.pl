# Reads mails with Sisimai, a line of JSON for each: python -m tests.bench readers calls it where Perl has Sisimai.
use strict;
use warnings;
use JSON::PP;
use Sisimai;
use Time::HiRes qw(clock);

my $json = JSON::PP->new->canonical->ascii;
for my $path (@ARGV) {
    my $begun = clock();
    my $read = eval { Sisimai->make($path, 'delivered' => 0) };
    my $failed = $@ ? JSON::PP::true : JSON::PP::false;
    my $taken = clock() - $begun;
    my @found = map { { recipient => $_->recipient->address, reason => $_->reason, soft => $_->softbounce } } @{ $read || [] };
    print $json->encode({ found => \@found, failed => $failed, seconds => $taken }), "\n";
}
