# The front end of every command of the stand-in, after a line that says which it is: $main::PROGRAM.
#
# What the daemon can answer goes there at once. It is Perl without a module, because a Python that reads the grammar takes
# four seconds to begin in an emulated machine, and eight lists are read before and after each change.
use strict;

my $root = "/opt/LifeKeeper";
my $socket = "/run/lifekeeper.socket";
my $program = $main::PROGRAM;

# What goes on without the daemon, starts it or ends it.
my $own = $program =~ m{/(lkstart|lkstop|lkkeyins)$}
    || ($program eq "$root/bin/lkcli" && @ARGV && $ARGV[0] =~ /^(start|stop|--?version)$/);

my $daemon;
if (!$own && -e "$root/config/LK_INITDONE"
        && socket($daemon, 1, 1, 0)    # AF_UNIX, SOCK_STREAM
        && connect($daemon, pack("S a*", 1, $socket))) {
    my $line = join(" ", $$, map { length ? unpack("H*", $_) : "-" } $program, @ARGV) . "\n";
    syswrite($daemon, $line) == length($line) or die "$program: the daemon does not listen\n";
    my $answer = <$daemon>;
    if (!defined $answer) {
        print STDERR "LifeKeeper ended while it answered\n";
        exit 1;
    }
    chomp $answer;
    my ($code, $out, $err) = split / /, $answer;
    $| = 1;
    print pack("H*", $out // "");
    print STDERR pack("H*", $err // "");
    kill -$code, $$ if $code < 0;
    exit $code;
}

my $front = "import sys; sys.path.insert(0, '$root/lib/stand-in'); "
    . "from lab.lifekeeper.node.front import main; sys.exit(main(sys.argv[1:]))";
exec "/usr/bin/python3", "-IS", "-c", $front, $program, @ARGV or die "$program: python3 cannot be run\n";
