#!/usr/bin/env python3
"""Record (or check) command line behaviour as transcripts.

  record.py                         record every suite with the reference in ../interop/peers/kafka into this folder
  record.py -s topics,configs       some suites only          -j 2   suites in parallel (default 1)
  record.py --list                  list suites and cases
  record.py --manifests             write <suite>/suite.tsv: what the Rust runner needs to know beside the transcripts
  record.py --check [options]       run the same cases, do not write: compare with this folder and print diffs
                                    --scripts: only what scripts read (standard output, files, exit status), without
                                    Java's stack traces and with what allowed.tsv allows (of cases named by -c: nothing);
                                    the order of access control lists counts for nothing; questions are asked again
                                    until the answer is the recorded one, for a few seconds
Another binary (both options take a template; {tool} is e.g. kafka-topics, {short} is topics):
  --tool   'ottla {short}'                       how to run a tool
  --server 'ottla server --listen 127.0.0.1:{port} --data-dir {data} --override {props}'      how to run one broker: {port} {cport} {data} {props};
                                                 {props} expands to the suite's key=value words
  --cluster '...'                                how to run the 3-broker cluster: {port} {data} {props}
  --ready  TEXT                                  text on the server's output that says it is ready
  --out DIR                                      write to / compare with another directory
The transcript format is described in README.md. Cases are in cases.py.
"""
import argparse, concurrent.futures, difflib, os, random, re, shlex, shutil, signal, socket, subprocess, sys, tempfile, threading, time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
PEER = os.path.join(HERE, '..', 'interop', 'peers', 'kafka', 'bin')

UUID = re.compile(r'\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b')
ID22 = r'[A-Za-z0-9_-]{22}'


def pad(name, width):
    """Placeholders keep the width of what they replace, so that table alignment stays visible."""
    return '<' + name + '_' * max(0, width - len(name) - 2) + '>'


def normalize(text, env):
    """env: list of (literal, placeholder), tried in order."""
    text = re.sub(r'127\.0\.0\.1:\d{5}(?=  \(\d)', '<COORDINATOR__>', text)
    text = re.sub(r'(127\.0\.0\.1 )\d{5}\b', r'\1<PRT>', text)
    for lit, ph in env:
        text = text.replace(lit, ph)
    text = re.sub(r'\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] ', '[<TIME>] ', text)
    text = re.sub(r'(TopicId: |topicId=|TopicId=|"topicId":")(%s)' % ID22, lambda m: m[1] + pad('TOPIC_ID', 22), text)
    text = UUID.sub(lambda m: pad('UUID', 36), text)
    text = re.sub(r'\b1[789]\d{11}\b', lambda m: pad('EPOCH_MS', 13), text)
    text = re.sub(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}', '<DATETIME>', text)
    text = re.sub(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}(Z|[+-]\d\d:?\d\d)?', '<ISO_TIME>', text)
    text = re.sub(r'console-consumer-(\d+)', lambda m: 'console-consumer-' + pad('N', len(m[1])), text)
    text = re.sub(r'(?<![\w<-])%s(?= +/127)' % ID22, pad('MEMBER_ID', 22), text)
    text = re.sub(r'(?m)^(\[<TIME>\] [^\n]*\n)\1+', r'\1<the same line again many times>\n', text)
    text = re.sub(r'\b(tries=|after )\d+(?=, next| attempt)', r'\1<N>', text)
    # option tables and argparse help: the options are listed in ../cli, not here
    text = re.sub(r'(?ms)^Option( \(\* = required\))? +Description *\n.*\Z', '<OPTION TABLE>\n', text)
    text = re.sub(r'(?ms)^usage: (?=.*^(optional|positional) arguments:|.*^commands:).*\Z', '<HELP>\n', text)
    # stack traces: keep the first line, fold the frames
    out, folded = [], False
    for line in lines_of(text):
        if re.match(r'^\s+at [\w.$/<>]+\(.*\)\s*$', line) or re.match(r'^\s+\.\.\. \d+ more$', line.rstrip()):
            if not folded:
                out.append('\tat <STACK>\n')
            folded = True
            continue
        folded = False
        out.append(line)
    return ''.join(out)


def lines_of(text):
    return re.findall(r'[^\n]*\n|[^\n]+', text)


def render(stream, text):
    out = []
    for line in lines_of(text):
        out.append('%s| %s' % (stream, line) if line.endswith('\n') else '%s\\ %s\n' % (stream, line))
    return ''.join(out)


# Frames of a stack trace on standard output, and what else it tells below the exception's own line.
TRACE = re.compile(r'1\| \tat <STACK>\n(?:1\| (?:Caused by|\t?Suppressed): .*\n(?:1\| (?!\tat <STACK>).+\n)*(?:1\| \tat <STACK>\n)?)*')
# Commands that only look: a cluster may need a moment until all its brokers know of a change.
LOOKS = re.compile(r'^kafka-(get-offsets|broker-api-versions|log-dirs) | (--)?(describe|list|verify|generate)( |$)')
SETTLES_WITHIN = 5


# A block of entries of access control lists, and what may stand beside such blocks: Java's sets, whose order changes from run to run.
ACLS = re.compile(r'(?:1\| \w+ ACLs for resource `.*\n(?:1\|  ?\t.*\n)+1\| \n|1\| Acl .* already exists\.\n)+')


def sorted_acls(found):
    """The same blocks, sorted as sets are that have an order."""
    blocks = re.findall(r'1\| \w+ ACLs .*\n(?:1\|  ?\t.*\n)+1\| \n|1\| Acl .*\n', found[0])
    block = lambda lines: lines[:1] + sorted(l.replace('1|  \t', '1| \t') for l in lines[1:])
    return ''.join(sorted(''.join(block(lines_of(b))) for b in blocks))


# What several brokers speak, in the order of the hashes of their addresses, which are other ones in each run.
VERSIONS = re.compile(r'(?:1\| <BS\d> \(id: .*\n(?:1\| \t.*\n)+1\| \)\n)+')


def sorted_versions(found):
    """The same brokers, sorted."""
    return ''.join(sorted(re.findall(r'1\| <BS\d> .*\n(?:1\| \t.*\n)+1\| \)\n', found[0])))


def for_scripts(text):
    """What scripts see of a transcript: (number of the command, its line, what was read of it) one after the other."""
    blocks, number, shown = [], 0, None
    for line in lines_of(text):
        if line.startswith(('$ ', '@ content of ', '! ')):
            number += not line.startswith('! ')
            shown = [number, line, '']
            blocks.append(shown)
        elif line.startswith(('@ file ', '% ', '& ')):
            shown = None
        elif shown and line.startswith(('1|', '1\\', 'f|', 'f\\', '= ')):
            shown[2] += line
    # Numbers differ in width, and the blanks behind them do too.
    in_order = lambda read: re.sub('<N> +', '<N>', VERSIONS.sub(sorted_versions, ACLS.sub(sorted_acls, read)))
    return [(n, line, in_order(TRACE.sub('', read))) for n, line, read in blocks]


def allowed():
    """allowed.tsv: {case: {number of the command, or 'not-run'}}"""
    table = {}
    for line in open(os.path.join(HERE, 'allowed.tsv')):
        if line.strip() and not line.startswith('#'):
            case, number, _ = line.split('\t')
            table.setdefault(case, set()).add(number if number == 'not-run' else int(number))
    return table


def free_base():
    """The first of twenty ports, below those that systems give to clients, of which none is in use."""
    while True:
        base = random.randrange(15000, 30000, 20)
        try:
            for port in range(base, base + 20):
                with socket.socket() as s:
                    s.bind(('127.0.0.1', port))
            return base
        except OSError:
            pass


class Case:
    def __init__(self, name, note='', cmp=''):
        self.name, self.note, self.cmp, self.steps = name, note, cmp, []

    def file(self, fname, text):
        self.steps.append(('file', fname, text)); return self

    def setup(self, *cmds, stdin=''):
        for c in cmds:
            self.steps.append(('setup', c, stdin))
        return self

    def run(self, cmd, stdin='', filt=None, sub=(), timeout=150, interrupt=None, text=''):
        self.steps.append(('run', cmd, stdin, filt, tuple(sub), timeout, interrupt)); return self

    def bg(self, name, cmd, lines=1, stdin='', wait=30):
        self.steps.append(('bg', name, cmd, lines, wait, stdin)); return self

    def stop(self, name, show=False):
        self.steps.append(('stop', name, show)); return self

    def sleep(self, sec):
        self.steps.append(('sleep', sec)); return self

    def kill_node(self, number):
        """SIGTERM to a node of the cluster, which may take its time to end."""
        self.steps.append(('kill', number)); return self

    def cat(self, fname, sub=()):
        self.steps.append(('cat', fname, tuple(sub))); return self


class Suite:
    def __init__(self, name, broker='single', props=()):
        self.name, self.broker, self.props, self.cases = name, broker, tuple(props), []

    def case(self, name, note='', cmp=''):
        c = Case(name, note, cmp); self.cases.append(c); return c


class Runner:
    def __init__(self, suite, args, port):
        self.suite, self.args, self.port = suite, args, port
        self.allowed = allowed() if args.scripts and not args.case else {}
        self.tmp = tempfile.mkdtemp(prefix='record-%s-' % suite.name)
        self.data = os.path.join(self.tmp, 'data')
        self.work = os.path.join(self.tmp, 'work'); os.makedirs(self.work)
        self.proc = None
        bs = '127.0.0.1:%d' % port
        if suite.broker == 'cluster':
            self.bs = ','.join('127.0.0.1:%d' % (port + i) for i in range(3))
        else:
            self.bs = bs
        dead = '127.0.0.1:%d' % (port + 19)     # nothing listens there
        self.vars = {'<BS>': self.bs, '<BS1>': bs, '<BS2>': '127.0.0.1:%d' % (port + 1), '<BS3>': '127.0.0.1:%d' % (port + 2),
                     '<CONTROLLER>': '127.0.0.1:%d' % (port + (10 if suite.broker == 'cluster' else 1)),
                     '<DEAD>': dead, '<TMP>': self.work, '<DATA>': self.data}
        self.env = [(self.work, '<TMP>'), (self.data, '<DATA>'), (self.bs, '<BS>'), (bs, '<BS1>'),
                    ('127.0.0.1:%d' % (port + 1), '<BS2>' if suite.broker == 'cluster' else '<CONTROLLER>'),
                    ('127.0.0.1:%d' % (port + 2), '<BS3>'), (self.vars['<CONTROLLER>'], '<CONTROLLER>'), (dead, '<DEAD>'),
                    ('localhost:%d' % port, 'localhost:<PORT>'), ('localhost/127.0.0.1:%d' % port, 'localhost/<BS1>')]
        for i in (0, 1, 2, 10, 11, 12, 19):
            self.env.append(('127.0.0.1, port=%d' % (port + i), '127.0.0.1, port=<PORT%d>' % i))
            self.env.append((':%d' % (port + i), ':<PORT%d>' % i))
            self.env.append(('"port": %d' % (port + i), '"port": <PORT%d>' % i))
        self.vals = {}
        self.expected = []      # what scripts read in the case, where only that is compared

    def subst(self, s):
        for k, v in list(self.vars.items()) + list(self.vals.items()):
            s = s.replace(k, v)
        return s

    def argv(self, cmd):
        words = shlex.split(self.subst(cmd))
        tool = words[0]
        head = shlex.split(self.args.tool.format(tool=tool, short=tool.replace('kafka-', '', 1), peer=PEER))
        return head + words[1:]

    def start(self):
        if self.suite.broker == 'none':
            return
        tmpl = self.args.cluster if self.suite.broker == 'cluster' else self.args.server
        props = ' '.join(shlex.quote(p) for p in self.suite.props)
        cmd = tmpl.format(port=self.port, cport=self.port + 1, data=self.data, props=props, peer=PEER)
        self.log = os.path.join(self.tmp, 'server.log')
        env = dict(os.environ)
        if self.suite.broker != 'cluster':
            env.setdefault('KAFKA_HEAP_OPTS', '-Xms384m -Xmx384m')
        self.proc = subprocess.Popen(shlex.split(cmd), stdout=open(self.log, 'wb'), stderr=subprocess.STDOUT,
                                     stdin=subprocess.DEVNULL, env=env, start_new_session=True)
        ready = self.args.ready or ('cluster ready' if self.suite.broker == 'cluster' else 'Kafka Server started')
        t0 = time.time()
        while ready not in open(self.log, errors='replace').read():
            if self.proc.poll() is not None or time.time() - t0 > 180:
                raise SystemExit('server of suite %s did not start, see %s' % (self.suite.name, self.log))
            time.sleep(0.2)

    def stop(self):
        if self.proc and self.proc.poll() is None:
            os.killpg(self.proc.pid, signal.SIGTERM)
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.proc.pid, signal.SIGKILL)
        shutil.rmtree(self.tmp, ignore_errors=True)

    def exec(self, cmd, stdin, timeout=150, interrupt=None):
        env = dict(os.environ); env['TZ'] = 'UTC'; env['LC_ALL'] = 'C.UTF-8'
        p = subprocess.Popen(self.argv(cmd), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             cwd=self.work, env=env)
        if interrupt:
            threading.Timer(interrupt, lambda: p.poll() is None and p.send_signal(signal.SIGTERM)).start()
        stdin = re.sub(r'<REPEAT:(.):(\d+)>', lambda m: m[1] * int(m[2]), stdin)
        try:
            out, err = p.communicate(stdin.encode(), timeout=timeout)
        except subprocess.TimeoutExpired:
            p.kill(); out, err = p.communicate(); err += b'<RECORDER: killed after %d s>\n' % timeout
        return out.decode(errors='backslashreplace'), err.decode(errors='backslashreplace'), p.returncode

    def outcome(self, cmd, stdin, filt, sub, timeout, interrupt):
        """Runs a command under test; what the transcript says of it."""
        out = ['$ %s\n' % cmd, render('0', stdin)]
        if interrupt:
            out.append('@ sigterm after %d s\n' % interrupt)
        t0 = time.time()
        o, e, rc = self.exec(cmd, stdin, timeout, interrupt)
        dt = time.time() - t0
        o, e = normalize(o, self.env), normalize(e, self.env)
        if filt == 'sort':
            o = ''.join(sorted(lines_of(o))); out.append('@ stdout sorted\n')
        elif filt:
            o = ''.join(l for l in lines_of(o) if re.search(filt, l))
            out.append('@ stdout lines matching /%s/\n' % filt)
        for pat, rep in sub:
            o = re.sub(pat, rep, o, flags=re.M); e = re.sub(pat, rep, e, flags=re.M)
        out.append(render('1', o)); out.append(render('2', e)); out.append('= %d\n' % rc)
        if dt > 25 and not interrupt:
            out.append('# took about %d s\n' % (round(dt / 5) * 5))
        return ''.join(out)

    def transcript(self, case):
        out = ['# %s/%s\n' % (self.suite.name, case.name)]
        if case.note:
            out += ['# note: %s\n' % l for l in case.note.strip().splitlines()]
        if case.cmp:
            out.append('# compare: %s\n' % case.cmp)
        bgs = {}
        try:
            settling = 0
            for st, following in zip(case.steps, case.steps[1:] + [None]):
                kind = st[0]
                if kind == 'file':
                    with open(os.path.join(self.work, st[1]), 'w') as f:
                        f.write(self.subst(st[2]))
                    out.append('@ file %s\n' % st[1]); out.append(render('f', st[2]))
                elif kind == 'setup':
                    out.append('%% %s\n' % st[1]); out.append(render('0', st[2]))
                    o, e, rc = self.exec(st[1], st[2])
                    if rc != 0 or self.args.verbose:
                        print('  setup rc=%s: %s\n%s%s' % (rc, st[1], o, e), file=sys.stderr)
                elif kind == 'run':
                    text = self.outcome(*st[1:])
                    deadline = time.time() + SETTLES_WITHIN + settling
                    settling = 0
                    while self.expected and LOOKS.search(st[1]) and for_scripts(text)[0][1:] not in self.expected and time.time() < deadline:
                        time.sleep(0.2)
                        text = self.outcome(*st[1:])
                    out.append(text)
                elif kind == 'bg':
                    _, name, cmd, lines, wait, stdin = st
                    out.append('& %s: %s\n' % (name, cmd)); out.append(render('0', stdin))
                    of = open(os.path.join(self.work, '.bg-' + name), 'wb')
                    ef = open(os.path.join(self.work, '.bge-' + name), 'wb')
                    env = dict(os.environ); env['TZ'] = 'UTC'
                    p = subprocess.Popen(self.argv(cmd), stdin=subprocess.PIPE, stdout=of, stderr=ef, cwd=self.work, env=env)
                    p.stdin.write(stdin.encode()); p.stdin.flush()
                    bgs[name] = (p, of.name, ef.name)
                    t0 = time.time()
                    while lines and open(of.name, 'rb').read().count(b'\n') < lines:
                        if time.time() - t0 > wait or p.poll() is not None:
                            print('  bg %s: not %d lines after %.0f s' % (name, lines, time.time() - t0), file=sys.stderr); break
                        time.sleep(0.2)
                    if lines:
                        out.append('@ wait for %d lines of stdout\n' % lines)
                elif kind == 'stop':
                    p, of, ef = bgs.pop(st[1])
                    p.send_signal(signal.SIGTERM)
                    try:
                        p.wait(20)
                    except subprocess.TimeoutExpired:
                        p.kill(); p.wait()
                    out.append('! stop %s (SIGTERM)\n' % st[1])
                    if st[2]:
                        out.append(render('1', normalize(open(of, errors='replace').read(), self.env)))
                        out.append(render('2', normalize(open(ef, errors='replace').read(), self.env)))
                        out.append('= %d\n' % p.returncode)
                elif kind == 'sleep':
                    # A question is asked again until things have settled, instead of waiting first.
                    if self.expected and following and following[0] == 'run' and LOOKS.search(following[1]):
                        settling = st[1]
                    else:
                        time.sleep(st[1])
                    out.append('@ sleep %g\n' % st[1])
                elif kind == 'kill':
                    with open(os.path.join(self.data, '%d.pid' % st[1])) as f:
                        os.kill(int(f.read()), signal.SIGTERM)
                    out.append('@ node %d ends\n' % st[1])
                elif kind == 'cat':
                    try:
                        t = normalize(open(os.path.join(self.work, st[1])).read(), self.env)
                    except OSError as ex:
                        t = '<no such file>\n'
                    for pat, rep in st[2]:
                        t = re.sub(pat, rep, t, flags=re.M)
                    out.append('@ content of %s\n' % st[1]); out.append(render('f', t))
        finally:
            for p, _, _ in bgs.values():
                p.kill(); p.wait()
        return ''.join(out)

    def all(self):
        failed = 0
        try:
            self.start()
            for case in self.suite.cases:
                if self.args.case and case.name not in self.args.case.split(','):
                    continue
                path = os.path.join(self.args.out, self.suite.name, case.name + '.txt')
                want = open(path, newline='').read() if os.path.exists(path) else ''
                known = self.allowed.get('%s/%s' % (self.suite.name, case.name), set())
                if 'not-run' in known:
                    continue
                if self.args.scripts:
                    self.expected = [block[1:] for block in for_scripts(want)]
                try:
                    text = self.transcript(case)
                except Exception as ex:
                    print('ERROR %s/%s: %r' % (self.suite.name, case.name, ex), file=sys.stderr); failed += 1; continue
                if self.args.check:
                    d = self.compare(want, text, known) if self.args.scripts else difflib.unified_diff(want.split('\n'), text.split('\n'), 'expected ' + path, 'got', lineterm='', n=2)
                    d = list(d)
                    if d:
                        failed += 1; print('\n'.join(d))
                    print('%s %s/%s' % ('DIFF' if d else 'same', self.suite.name, case.name), flush=True)
                else:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, 'w', newline='') as f:
                        f.write(text)
                    print('%s/%s' % (self.suite.name, case.name), flush=True)
        finally:
            self.stop()
        return failed

    def compare(self, want, got, known):
        """What differs for scripts and may not, and what may and does not; then what the commands said beside it."""
        want, read = for_scripts(want), for_scripts(got)
        if len(want) != len(read):
            yield '%d commands are recorded, %d were run: record the case' % (len(want), len(read))
        differs = set()
        for (number, line, w), (_, _, g) in zip(want, read):
            if w != g:
                differs.add(number)
                if number not in known:
                    yield 'command %d: %s' % (number, line.rstrip())
                    yield from list(difflib.unified_diff(w.split('\n'), g.split('\n'), lineterm='', n=1))[2:]
        for number in known - differs:
            yield 'command %d no longer differs: take it out of allowed.tsv and docs/gaps.md' % number
        if differs - known:
            yield from (line for line in got.split('\n') if line.startswith('2|'))


def manifest(suite):
    """The cases in their order, the broker's properties, and the substitutions made before outputs are compared:
    `sub CASE N PATTERN REPLACEMENT` for the N-th command (or file shown) of the case, counted from 1."""
    rows = [('broker', suite.broker)] + [('property', p) for p in suite.props]
    for case in suite.cases:
        rows.append(('case', case.name))
        n = 0
        for st in case.steps:
            if st[0] in ('run', 'cat'):
                n += 1
                rows += [('sub', case.name, str(n), pat, rep) for pat, rep in st[4 if st[0] == 'run' else 2]]
    return '# Made by record.py --manifests.\n' + ''.join('\t'.join(c.replace('\n', '\\n') for c in r) + '\n' for r in rows)


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument('-s', '--suite'); ap.add_argument('-c', '--case'); ap.add_argument('-j', type=int, default=1)
    ap.add_argument('--list', action='store_true'); ap.add_argument('--manifests', action='store_true'); ap.add_argument('--check', action='store_true')
    ap.add_argument('--scripts', action='store_true')
    ap.add_argument('--tool', default='{peer}/{tool}')
    ap.add_argument('--server', default='{peer}/server-start {port} {data} {props}')
    ap.add_argument('--cluster', default='{peer}/cluster-start {port} {data} {props}')
    ap.add_argument('--ready', default=''); ap.add_argument('--out', default=HERE)
    ap.add_argument('--port', type=int); ap.add_argument('-v', '--verbose', action='store_true')
    args = ap.parse_args()
    from cases import SUITES
    todo = [s for s in SUITES if not args.suite or s.name in args.suite.split(',')]
    if args.list:
        for s in todo:
            print('%s (%s broker, %d cases): %s' % (s.name, s.broker, len(s.cases), ' '.join(c.name for c in s.cases)))
        return
    if args.manifests:
        for s in todo:
            with open(os.path.join(args.out, s.name, 'suite.tsv'), 'w', newline='') as f:
                f.write(manifest(s))
        return
    with concurrent.futures.ThreadPoolExecutor(args.j) as ex:
        res = list(ex.map(lambda it: Runner(it[1], args, args.port + 20 * it[0] if args.port else free_base()).all(), enumerate(todo)))
    n = sum(1 for s in todo for c in s.cases if not args.case or c.name in args.case.split(','))
    print('%d passed, %d failed' % (n - sum(res), sum(res)))
    sys.exit(1 if sum(res) else 0)


if __name__ == '__main__':
    main()
