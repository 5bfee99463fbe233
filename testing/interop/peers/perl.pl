#!/usr/bin/perl
# Perl's Gearman::Client and Gearman::Worker (Debian's libgearman-client-perl), one role per process.
# What a role is asked and what it prints is written in ../README.md.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Gearman::Client;
use Gearman::Worker;
use IO::Handle;
use JSON::PP;
use Time::HiRes qw(time usleep);

STDOUT->autoflush(1);

sub emit { print encode_json({@_}), "\n" }

# Short values as text, long ones as length and digest.
sub value {
    my ($bytes) = @_;
    return length($bytes) <= 1000
        ? (text => $bytes)
        : (bytes => length($bytes), sha256 => sha256_hex($bytes));
}

sub workload {
    my ($argument) = @_;
    return $argument unless $argument =~ s/^@//;
    open(my $file, '<:raw', $argument) or die "$argument: $!";
    local $/;
    return scalar <$file>;
}

my %functions = (
    reverse  => sub { scalar reverse $_[1]->arg },
    mirror   => sub { $_[1]->arg },
    empty    => sub { '' },
    progress => sub { $_[1]->set_status($_, 4) for 1, 2, 4; 'done' },
    chunks   => sub { $_[0]->send_work_data($_[1], $_) for qw(one two three); 'end' },
    warn     => sub { $_[0]->send_work_warning($_[1], 'careful'); 'ok' },
    throw    => sub { $_[0]->send_work_exception($_[1], 'boom'); undef },
    die      => sub { die "boom\n" },
    fail     => sub { undef },
    hold     => sub {
        my ($worker, $job, $name) = @_;
        $job->set_status(1, 2);
        my $path = $job->arg;
        usleep(5000) until -e $path;
        return $name;
    },
);

sub worker {
    my ($port, $name, @names) = @_;
    my $worker = Gearman::Worker->new(job_servers => ["127.0.0.1:$port"], client_id => $name);
    for my $function (@names) {
        my $run = $functions{$function} or die "no function $function";
        $worker->register_function(
            $function => sub {
                my ($job) = @_;
                emit(event => 'job', worker => $name, function => $function, value($job->arg));
                return $run->($worker, $job, $name);
            }
        );
    }
    $worker->work while 1;
}

sub client {
    my ($port) = @_;
    return Gearman::Client->new(job_servers => ["127.0.0.1:$port"], exceptions => 1);
}

# A task's options: every packet it causes becomes one line.
sub reporting {
    return (
        on_complete  => sub { emit(event => 'complete', value(${ $_[0] })) },
        on_data      => sub { emit(event => 'data',      value(${ $_[0] })) },
        on_warning   => sub { emit(event => 'warning',   value(${ $_[0] })) },
        on_exception => sub { emit(event => 'exception', value($_[0])) },
        on_fail      => sub { emit(event => 'fail') },
        on_status => sub { emit(event => 'status', numerator => $_[0] + 0, denominator => $_[1] + 0) },
    );
}

# The handle without the server's address that the library puts before it.
sub handle { my ($handle) = @_; $handle =~ s{^.*//}{}; return $handle }

sub run {
    my ($port, $function, $priority, $unique, $argument) = @_;
    my $set = client($port)->new_task_set;
    my $handle = $set->add_task($function, \workload($argument),
        { priority => $priority, ($unique ? (uniq => $unique) : ()), reporting() });
    emit(event => 'created', handle => handle($handle));
    $set->wait;
}

sub background {
    my ($port, $function, @jobs) = @_;
    my $client = client($port);
    for my $job (@jobs) {
        my ($priority, $unique, $workload) = split /:/, $job, 3;
        my $handle = $client->dispatch_background($function, $workload,
            { priority => $priority, ($unique ? (uniq => $unique) : ()) });
        emit(event => 'created', handle => handle($handle));
    }
}

sub poll {
    my ($port, $function, $workload) = @_;
    my $client = client($port);
    my $handle = $client->dispatch_background($function, $workload, {});
    emit(event => 'created', handle => handle($handle));
    my $last = '';
    while (1) {
        my $status = $client->get_status($handle);
        my $progress = $status->progress || [0, 0];
        my %state = (
            known       => $status->known   ? JSON::PP::true : JSON::PP::false,
            running     => $status->running ? JSON::PP::true : JSON::PP::false,
            numerator   => $progress->[0] + 0,
            denominator => $progress->[1] + 0,
        );
        my $now = join ' ', map { $state{$_} } sort keys %state;
        emit(event => 'state', %state) if $now ne $last;
        $last = $now;
        return unless $status->known;
        usleep(5000);
    }
}

sub many {
    my ($port, $function, $count) = @_;
    my $set = client($port)->new_task_set;
    my @results;
    $set->add_task($function, "job $_",
        { uniq => "unique $_", on_complete => sub { push @results, ${ $_[0] } } })
        for 0 .. $count - 1;
    $set->wait;
    emit(event => 'set', results => \@results);
}

sub sequential {
    my ($port, $function, $count) = @_;
    my $client = client($port);
    my $start  = time;
    my @results = map { ${ $client->do_task($function, "job $_") // \'' } } 0 .. $count - 1;
    emit(event => 'sequential', results => \@results, ms => int((time - $start) * 1000));
}

sub admin {
    my ($port) = @_;
    my ($status) = values %{ client($port)->get_job_server_status };
    my %functions = map { $_ => [@{ $status->{$_} }{qw(queued running capable)}] } keys %$status;
    $_ = [map { $_ + 0 } @$_] for values %functions;
    emit(event => 'admin', status => \%functions);
}

# True when this library has no way to do what is named.
sub lacks {
    my ($feature) = @_;
    my %lacks = (echo => !grep { Gearman::Client->can($_) } qw(echo ping echo_req));
    die "no feature $feature" unless exists $lacks{$feature};
    emit(event => 'lacks', value => $lacks{$feature} ? JSON::PP::true : JSON::PP::false);
}

my ($role, @rest) = @ARGV;
if    ($role eq 'worker') { worker(@rest) }
elsif ($role eq 'lacks')  { lacks(@rest) }
else {
    my ($port, $verb, @arguments) = @rest;
    my %verbs = (
        run        => \&run,
        background => \&background,
        poll       => \&poll,
        set        => \&many,
        sequential => \&sequential,
        admin      => \&admin,
    );
    $verbs{$verb}->($port, @arguments);
}
