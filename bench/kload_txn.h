/* The part of kload that speaks transactions: one producer, and the commands txn, txnlatency and txnids.  Included by kload.c.
 * Protocol 1 is the one before KIP-890: AddPartitionsToTxn, Produce 9 or 7, EndTxn 2.  Protocol 2 is KIP-890's: Produce 12
 * adds the partition, EndTxn 5 answers with the epoch of the next transaction.  --txn-version chooses; without it the broker's
 * finalized transaction.version does, as in clients. */

enum { PRODUCE = 0, API_VERSIONS = 18, INIT_PRODUCER_ID = 22, ADD_PARTITIONS = 24, ADD_OFFSETS = 25, END_TXN = 26, TXN_OFFSET_COMMIT = 28, DESCRIBE_TRANSACTIONS = 65 };
enum { E_LOADING = 14, E_NOT_AVAILABLE = 15, E_NOT_COORDINATOR = 16, E_CONCURRENT = 51 };
static int txn_retriable(int e) { return e == E_LOADING || e == E_NOT_AVAILABLE || e == E_NOT_COORDINATOR || e == E_CONCURRENT; }

/* The finalized level of transaction.version; 0 where the broker does not tell. */
static int finalized_txn_version(Conn *c) {
  if (vmax[API_VERSIONS] < 3) return 0;
  Buf *b = req(c, API_VERSIONS, 3, 1); wcstr(b, "kload"); wcstr(b, "1"); w8(b, 0);
  Rd r = call(c, 0); if (r16(&r)) return 0;
  for (u64 n = ruv(&r); n > 1 && !r.bad; n--) { r16(&r); r16(&r); r16(&r); rtags(&r); }
  r32(&r);
  for (u64 n = ruv(&r); n > 0 && !r.bad; n--) {
    u64 tag = ruv(&r), size = ruv(&r); const u8 *end = r.p + size; if ((size_t)(r.e - r.p) < size) return 0;
    if (tag == 2) for (u64 k = ruv(&r); k > 1 && !r.bad; k--) {
      u64 len = ruv(&r); const u8 *name = take(&r, len ? len - 1 : 0); int level = r16(&r); r16(&r); rtags(&r);
      if (!r.bad && len == sizeof "transaction.version" && !memcmp(name, "transaction.version", len - 1)) return level;
    }
    r.p = end;
  }
  return 0;
}

/* A transactional producer with a connection of its own, one batch a partition in each transaction. */
typedef struct {
  Conn c; char id[64]; const char *topic; int partitions, v2, records; i64 pid, retries; int epoch;
  Buf *req; size_t *at, batch; int *seq; /* by partition: its request, where in it the batch begins, the next sequence */
  size_t *value;                         /* where in a batch the value of each record begins */
} Txn;

static void txn_open(Txn *x, const char *id, const char *topic, int partitions, int records, int value_size) {
  memset(x, 0, sizeof *x); copen(&x->c); snprintf(x->id, sizeof x->id, "%s", id);
  x->topic = topic; x->partitions = partitions; x->records = records;
  int version = num("txn-version", 0); x->v2 = (version ? version : finalized_txn_version(&x->c)) >= 2;
  if (x->v2) { need(PRODUCE, 12, "Produce"); need(END_TXN, 5, "EndTxn"); if (!flex_on) die("transactions of version 2 need --flex 1"); }
  int e = init_pid(&x->c, x->id, &x->pid, &x->epoch); if (e) die("InitProducerId %d", e);
  x->seq = calloc(partitions, sizeof *x->seq); x->req = calloc(partitions, sizeof *x->req); x->at = calloc(partitions, sizeof *x->at); x->value = calloc(records, sizeof *x->value);
  Buf b = { 0 }; batch(&b, records, value_size, 0, x->pid, x->epoch, 0, 1, 0); value_offsets(&b, records, x->value); x->batch = b.n;
  for (int p = 0; p < partitions; p++) { produce_req(&x->req[p], topic, p, 1, partitions, -1, b.p, b.n, x->id, &x->at[p]); if (x->v2) st16(x->req[p].p + 6, 12); } /* 9 to 12 have one layout */
  free(b.p);
}
static u8 *txn_batch(Txn *x, int p) { return x->req[p].p + x->at[p]; }

/* Waits before a call is made again (--retry-us; clients of Java wait 20 ms), and gives up after 10 s. */
static void txn_again(Txn *x, i64 since, const char *what, int e) { x->retries++; if (now_ns() - since > 10000000000LL) die("%s: error %d for 10 s", what, e); nap_us(num("retry-us", 500)); }

static int add_partitions(Txn *x, int first, int n) {
  Buf *b = req(&x->c, ADD_PARTITIONS, 2, 0); wstr(b, x->id); w64(b, x->pid); w16(b, x->epoch); w32(b, 1); wstr(b, x->topic); w32(b, n); for (int i = 0; i < n; i++) w32(b, (first + i) % x->partitions);
  Rd r = call(&x->c, 0); r32(&r); int bad = 0;
  for (int t = r32(&r); t > 0 && !r.bad; t--) { rstr(&r, 0, 0); for (int k = r32(&r); k > 0 && !r.bad; k--) { r32(&r); int e = r16(&r); if (e) bad = e; } }
  return r.bad ? -2 : bad;
}
/* One batch to each of n partitions from first; in protocol 1 they are added before. */
static void txn_send(Txn *x, int first, int n) {
  i64 since = now_ns(); int e, waiting[n];
  if (!x->v2) while ((e = add_partitions(x, first, n))) { if (!txn_retriable(e)) die("AddPartitionsToTxn: error %d", e); txn_again(x, since, "AddPartitionsToTxn", e); }
  for (int i = 0; i < n; i++) {
    int p = waiting[i] = (first + i) % x->partitions; u8 *b = txn_batch(x, p);
    st64(b + H_PID, x->pid); st16(b + H_PEP, x->epoch); st32(b + H_SEQ, x->seq[p]); x->seq[p] += x->records; seal(b, x->batch);
  }
  for (int left = n; left;) { /* a batch that was refused was not appended: it is sent again as it is */
    for (int i = 0; i < left; i++) { Buf *q = &x->req[waiting[i]]; st32(q->p + 8, ++x->c.corr); if (wall(x->c.fd, q->p, q->n)) die("connection lost in Produce"); }
    int sent = left, last = 0; left = 0;
    for (int i = 0; i < sent; i++) { Rd r; if (crecv(&x->c, &r)) die("connection lost in Produce"); e = produce_err(&r, 0); if (!e) continue; if (!x->v2 || !txn_retriable(e)) die("transactional produce: error %d", e); waiting[left++] = waiting[i]; last = e; }
    if (left) txn_again(x, since, "Produce", last);
  }
}

static int add_offsets(Txn *x, const char *group) { Buf *b = req(&x->c, ADD_OFFSETS, 2, 0); wstr(b, x->id); w64(b, x->pid); w16(b, x->epoch); wstr(b, group); Rd r = call(&x->c, 0); r32(&r); int e = r16(&r); return r.bad ? -2 : e; }
static int commit_offset(Txn *x, const char *group, i64 offset) { /* of partition 0 */
  int f = x->v2; Buf *b = req(&x->c, TXN_OFFSET_COMMIT, f ? 5 : 2, f);
  if (f) { wcstr(b, x->id); wcstr(b, group); } else { wstr(b, x->id); wstr(b, group); }
  w64(b, x->pid); w16(b, x->epoch);
  if (f) { w32(b, -1); wcstr(b, ""); wcstr(b, 0); wuv(b, 2); wcstr(b, x->topic); wuv(b, 2); } else { w32(b, 1); wstr(b, x->topic); w32(b, 1); }
  w32(b, 0); w64(b, offset); w32(b, -1); if (f) { wcstr(b, ""); w8(b, 0); w8(b, 0); w8(b, 0); } else wstr(b, "");
  Rd r = call(&x->c, f); r32(&r); if (f) { ruv(&r); rcskip(&r); ruv(&r); } else { r32(&r); rstr(&r, 0, 0); r32(&r); }
  r32(&r); int e = r16(&r); return r.bad ? -2 : e;
}
/* The consumed offset goes with the transaction, as consume-process-produce does it; of a group without members. */
static void txn_offset(Txn *x, const char *group, i64 offset) {
  i64 since = now_ns(); int e;
  if (!x->v2) while ((e = add_offsets(x, group))) { if (!txn_retriable(e)) die("AddOffsetsToTxn: error %d", e); txn_again(x, since, "AddOffsetsToTxn", e); }
  while ((e = commit_offset(x, group, offset))) { if (!txn_retriable(e)) die("TxnOffsetCommit: error %d", e); txn_again(x, since, "TxnOffsetCommit", e); }
}

static void txn_end(Txn *x, int commit) {
  i64 since = now_ns();
  for (;;) {
    int f = x->v2; Buf *b = req(&x->c, END_TXN, f ? 5 : 2, f); if (f) wcstr(b, x->id); else wstr(b, x->id); w64(b, x->pid); w16(b, x->epoch); w8(b, commit); if (f) w8(b, 0);
    Rd r = call(&x->c, f); r32(&r); int e = r16(&r);
    if (e) { if (!txn_retriable(e)) die("EndTxn: error %d", e); txn_again(x, since, "EndTxn", e); continue; }
    if (!f) return;
    i64 pid = r64(&r); int epoch = r16(&r); if (r.bad) die("EndTxn: short reply");
    if (pid == x->pid && epoch == x->epoch) die("EndTxn 5 left the epoch as it was");
    x->pid = pid; x->epoch = epoch; memset(x->seq, 0, x->partitions * sizeof *x->seq); return;
  }
}

/* ---------- one producer, one transaction after the other ---------- */
static int cmd_txn(void) {
  Conn c; hello(&c); const char *t = opt("topic", "bench"); int P = num("partitions", 1), n = num("batches", 1), nrec = num("batch-records", 10); ensure_topic(&c, t, P); if (n > P) n = P;
  i64 dur = num("seconds", 10) * 1000000000LL, max = num("txns", 1000000), done = 0; char id[64], group[64]; snprintf(id, sizeof id, "kload-tx-%d", (int)getpid()); snprintf(group, sizeof group, "kload-txg-%d", (int)getpid());
  static Txn x; txn_open(&x, id, t, P, nrec, num("size", 100)); int offsets = num("offsets", 0); if (offsets) find_coordinator(&c, group, 0);
  Hist *h = calloc(1, sizeof *h), *end = calloc(1, sizeof *end); i64 t0 = now_ns(); double cpu0 = self_cpu();
  for (int p = 0; done < max && now_ns() - t0 < dur; done++, p = (p + n) % P) {
    i64 a = now_ns(); txn_send(&x, p, n); if (offsets) txn_offset(&x, group, done); i64 b = now_ns(); txn_end(&x, 1); i64 z = now_ns(); hadd(h, z - a, 1); hadd(end, z - b, 1);
  }
  double s = (now_ns() - t0) / 1e9; printf("{\"cmd\":\"txn\",\"version\":%d,\"txns\":%lld,\"records\":%lld,\"seconds\":%.4f,\"txn_s\":%.1f,\"records_s\":%.0f,\"retries\":%lld,\"client_cpu_s\":%.3f", x.v2 + 1, (long long)done, (long long)done * n * nrec, s, done / s, done * n * nrec / s, (long long)x.retries, self_cpu() - cpu0);
  hprint("txn", h); hprint("end", end); printf("}\n"); return 0;
}

/* ---------- what a reader of committed records waits for ---------- */
/* What producers and the consumer know of each transaction: record `i` of transaction `n` of producer `p` carries the number
 * (p * per_producer + n) * records + i, and its partition is p. */
static struct { const char *topic; int producers, records, per_producer, abort_every, warm; double rate; volatile int done; volatile i64 wanted; i64 begin; i64 *sent, *answered, *arrived; u8 *seen, *aborted, *ended; Hist txn, end; pthread_mutex_t lock; i64 retries, lag; } L;

static void *latency_producer(void *arg) {
  int me = (int)(intptr_t)arg; Txn x; char id[64]; snprintf(id, sizeof id, "kload-lat-%d-%d", (int)getpid(), me); txn_open(&x, id, L.topic, L.producers, L.records, num("size", 100));
  Hist *txn = calloc(1, sizeof *txn), *end = calloc(1, sizeof *end); i64 gap = (i64)(1e9 * L.producers / L.rate), lag = 0, committed = 0;
  pthread_barrier_wait(&bar); pthread_barrier_wait(&bar); i64 due = L.begin + gap * me / L.producers; /* all are open before it begins */
  for (int n = 0; n < L.per_producer; n++, due += gap) {
    i64 k = (i64)me * L.per_producer + n, a = now_ns(); if (a < due) { nap_us((due - a) / 1000); a = now_ns(); } if (a - due > lag) lag = a - due;
    u8 *b = txn_batch(&x, me); for (int i = 0; i < L.records; i++) st64(b + x.value[i], k * L.records + i); i64 ms = wall_ms(); st64(b + H_BTS, ms); st64(b + H_MTS, ms);
    int commit = !L.abort_every || (n + 1) % L.abort_every; L.aborted[k] = !commit; L.sent[k] = a;
    txn_send(&x, me, 1); i64 e = now_ns(); L.ended[k] = 1; __sync_synchronize(); txn_end(&x, commit); i64 z = now_ns(); L.answered[k] = z; committed += commit;
    if (n >= L.warm) { hadd(txn, z - a, 1); hadd(end, z - e, 1); }
  }
  pthread_mutex_lock(&L.lock); hmerge(&L.txn, txn); hmerge(&L.end, end); L.retries += x.retries; if (lag > L.lag) L.lag = lag; L.wanted += committed * L.records; L.done++; pthread_mutex_unlock(&L.lock);
  cclose(&x.c); return 0;
}

/* The consumer's side of read_committed: records of aborted transactions are passed over. */
struct Committed { i64 now, good, wrong; int partition, listed, open; i64 list[256][2], active[256]; };
static void committed_partition(Committed *k, int partition) { k->partition = partition; k->listed = k->open = 0; }
static void committed_aborted(Committed *k, i64 pid, i64 first) { if (k->listed == 256) die("more than 256 aborted transactions in one reply"); k->list[k->listed][0] = pid; k->list[k->listed++][1] = first; }
static int committed_drop(i64 *a, int *n, i64 pid) { for (int i = 0; i < *n; i++) if (a[i] == pid) { a[i] = a[--*n]; return 1; } return 0; }
static void committed_batch(Committed *k, const u8 *b, size_t n) {
  i64 last = ld64(b) + (int)ld32(b + H_LOD), pid = ld64(b + H_PID); int count = (int)ld32(b + H_CNT); Rd r = { b + H_REC, b + n, 0 };
  for (int i = 0; i < k->listed;) if (k->list[i][1] <= last) { if (k->open == 256) die("more than 256 aborted transactions"); k->active[k->open++] = k->list[i][0]; memcpy(k->list[i], k->list[--k->listed], sizeof k->list[i]); } else i++;
  if (b[H_ATTR + 1] & 0x20) { ruv(&r); r8(&r); ruv(&r); ruv(&r); ruv(&r); r16(&r); if (r16(&r) == 0) committed_drop(k->active, &k->open, pid); return; } /* the key: version, then 0 for an abort */
  for (int i = 0; i < k->open; i++) if (k->active[i] == pid) return;
  for (int i = 0; i < count && !r.bad; i++) {
    i64 len = (i64)(ruv(&r) >> 1); const u8 *next = r.p + len; if (len < 0 || len > r.e - r.p) { r.bad = 1; break; }
    r8(&r); ruv(&r); ruv(&r); ruv(&r); ruv(&r); i64 id = r64(&r); r.p = next; i64 txns = (i64)L.producers * L.per_producer;
    if (id < 0 || id >= txns * L.records || L.aborted[id / L.records] || !L.ended[id / L.records] || id / L.records / L.per_producer != k->partition || L.seen[id]++) { k->wrong++; continue; }
    k->good++; L.arrived[id / L.records] = k->now;
  }
  if (r.bad) die("a batch that cannot be read");
}

static int cmd_txnlatency(void) {
  Conn c; hello(&c); L.topic = opt("topic", "bench"); L.producers = num("producers", 1); L.records = num("batch-records", 1); L.rate = num("rate", 100); L.abort_every = num("abort-every", 20); L.warm = num("warm-txns", 10); i64 secs = num("seconds", 10);
  if (L.producers < 1 || L.producers > 256 || L.records < 1 || L.rate <= 0 || num("size", 100) < 8) die("--producers 1 to 256, --batch-records and --rate above 0, --size 8 or more");
  L.per_producer = (int)(secs * L.rate / L.producers) + L.warm; i64 txns = (i64)L.producers * L.per_producer; ensure_topic(&c, L.topic, L.producers); i64 off[256]; memcpy(off, offs_end, L.producers * sizeof *off);
  L.sent = calloc(txns, 8); L.answered = calloc(txns, 8); L.arrived = calloc(txns, 8); L.aborted = calloc(txns, 1); L.ended = calloc(txns, 1); L.seen = calloc(txns, L.records); pthread_mutex_init(&L.lock, 0); pthread_barrier_init(&bar, 0, L.producers + 1);
  pthread_t th[256]; for (int i = 0; i < L.producers; i++) pthread_create(&th[i], 0, latency_producer, (void *)(intptr_t)i);
  pthread_barrier_wait(&bar); double cpu0 = self_cpu(); i64 t0 = L.begin = now_ns(); pthread_barrier_wait(&bar);
  static Committed k; i64 bytes = 0, recs = 0, limit = now_ns() + (secs + 30) * 1000000000LL; int last_look = 0;
  for (;;) {
    int all = L.done == L.producers && k.good >= L.wanted; if (now_ns() > limit) break; if (all && last_look) break; last_look = all;
    fetch_req(&c, L.topic, L.producers, off, 0, 52428800, 1048576, all ? 200 : 500, 1, num("read-committed", 1)); Rd r; if (csend(&c) || crecv(&c, &r)) die("connection lost in Fetch"); k.now = now_ns();
    int e = fetch_walk(&r, L.producers, off, &recs, &bytes, 0, &k); if (e) die("Fetch: error %d", e);
  }
  for (int i = 0; i < L.producers; i++) pthread_join(th[i], 0);
  Hist *e2e = calloc(1, sizeof *e2e), *visible = calloc(1, sizeof *visible); i64 early = 0, committed = 0, last = t0;
  for (i64 i = 0; i < txns; i++) { if (!L.aborted[i]) committed++; if (L.answered[i] > last) last = L.answered[i]; if (L.aborted[i] || i % L.per_producer < L.warm || !L.arrived[i]) continue; hadd(e2e, L.arrived[i] - L.sent[i], 1); hadd(visible, L.arrived[i] - L.answered[i], 1); early += L.arrived[i] <= L.answered[i]; }
  i64 missing = L.wanted - k.good; double s = (last - t0) / 1e9; printf("{\"cmd\":\"txnlatency\",\"txns\":%lld,\"committed\":%lld,\"records\":%lld,\"missing\":%lld,\"wrong\":%lld,\"before_answer\":%lld,\"seconds\":%.4f,\"txn_s\":%.1f,\"worst_send_lag_us\":%.0f,\"retries\":%lld,\"client_cpu_s\":%.3f", (long long)txns, (long long)committed, (long long)k.good, (long long)missing, (long long)k.wrong, (long long)early, s, txns / s, L.lag / 1e3, (long long)L.retries, self_cpu() - cpu0);
  hprint("e2e", e2e); hprint("visible", visible); hprint("end", &L.end); hprint("txn", &L.txn); printf("}\n"); return missing || k.wrong;
}

/* ---------- many transactional ids: to make them, and to wait until a coordinator knows them again ---------- */
static struct { int count, next; i64 *pid; pthread_mutex_t lock; i64 retries; } I;
static void id_name(char *out, size_t cap, int i) { snprintf(out, cap, "kload-id-%d", i); }
static int ids_take(int *from, int most) { pthread_mutex_lock(&I.lock); *from = I.next; int n = I.count - I.next < most ? I.count - I.next : most; I.next += n; pthread_mutex_unlock(&I.lock); return n; }
/* InitProducerId 1, 200 in flight on each connection. */
static void *ids_maker(void *arg) {
  (void)arg; Conn c; copen(&c); int from, n; Buf all = { 0 };
  while ((n = ids_take(&from, 200))) {
    int waiting[200]; for (int i = 0; i < n; i++) waiting[i] = from + i;
    for (i64 since = now_ns(); n;) {
      all.n = 0; for (int i = 0; i < n; i++) { char id[32]; id_name(id, sizeof id, waiting[i]); Buf *b = req(&c, INIT_PRODUCER_ID, 1, 0); wstr(b, id); w32(b, 60000); st32(b->p, b->n - 4); wraw(&all, b->p, b->n); }
      if (wall(c.fd, all.p, all.n)) die("connection lost in InitProducerId");
      int sent = n, last = 0; n = 0;
      for (int i = 0; i < sent; i++) { Rd r; if (crecv(&c, &r)) die("connection lost in InitProducerId"); r32(&r); int e = r16(&r); if (!e) { I.pid[waiting[i]] = r64(&r); continue; } if (!txn_retriable(e)) die("InitProducerId: error %d", e); waiting[n++] = waiting[i]; last = e; }
      if (n) { if (now_ns() - since > 60000000000LL) die("InitProducerId: error %d for 60 s", last); nap_us(5000); }
    }
  }
  free(all.p); cclose(&c); return 0;
}
/* Asks for n ids; 1 if all are there as they were made, 0 if a coordinator is still loading, -1 for a lost connection. */
static int ids_described(Conn *c, int from, int n) {
  Buf *b = req(c, DESCRIBE_TRANSACTIONS, 0, 1); wuv(b, n + 1); for (int i = from; i < from + n; i++) { char id[32]; id_name(id, sizeof id, i); wcstr(b, id); } w8(b, 0);
  Rd r; if (csend(c) || crecv(c, &r)) return -1; rtags(&r); r32(&r); int known = 0, loading = 0;
  for (u64 k = ruv(&r); k > 1 && !r.bad; k--) {
    int e = r16(&r); u64 len = ruv(&r); const u8 *id = take(&r, len ? len - 1 : 0); int i = -1; char name[32] = ""; if (!r.bad && len && len <= sizeof name) memcpy(name, id, len - 1);
    u64 state_len = ruv(&r); const u8 *state = take(&r, state_len ? state_len - 1 : 0); int empty = state_len == 6 && !r.bad && !memcmp(state, "Empty", 5); r32(&r); r64(&r); i64 pid = r64(&r); r16(&r); for (u64 t = ruv(&r); t > 1 && !r.bad; t--) { rcskip(&r); u64 m = ruv(&r); while (m-- > 1 && !r.bad) r32(&r); rtags(&r); } rtags(&r);
    if (e && txn_retriable(e)) { loading++; continue; }
    if (e || sscanf(name, "kload-id-%d", &i) != 1 || i < from || i >= from + n || !empty || pid != I.pid[i]) die("transactional id %s: error %d, producer id %lld, %lld expected", name, e, (long long)pid, i >= 0 && i < I.count ? (long long)I.pid[i] : -1);
    known++;
  }
  if (r.bad || known + loading != n) die("DescribeTransactions told of %d of %d ids", known + loading, n);
  return !loading;
}
/* From a broker that is starting; times are CLOCK_MONOTONIC ns.  The first thousand ids are in every partition: they tell when all
 * are loaded, the rest that nothing is missing. */
static int ids_wait(void) {
  i64 limit = now_ns() + num("seconds", 60) * 1000000000LL, connected = 0, answered = 0, loaded = 0, polls = 0; Conn c; memset(&c, 0, sizeof c); c.fd = -1;
  for (int from = 0; from < I.count;) {
    if (now_ns() > limit) die("ids %d of %d not described in time", from, I.count);
    if (c.fd < 0) { if ((c.fd = try_connect()) < 0) { nap_us(1000); continue; } if (!connected) connected = now_ns(); struct timeval tv = { 5, 0 }; setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv); }
    if (!answered) { if (api_versions(&c)) { cclose(&c); nap_us(1000); continue; } answered = now_ns(); need(DESCRIBE_TRANSACTIONS, 0, "DescribeTransactions"); }
    int n = I.count - from < 1000 ? I.count - from : 1000, known = ids_described(&c, from, n); polls++;
    if (known < 0) { cclose(&c); nap_us(1000); continue; } if (!known) { nap_us(2000); continue; }
    if (!from) loaded = now_ns(); from += n;
  }
  printf("{\"cmd\":\"txnids\",\"ids\":%d,\"connect_ns\":%lld,\"api_ns\":%lld,\"loaded_ns\":%lld,\"described_ns\":%lld,\"requests\":%lld}\n", I.count, (long long)connected, (long long)answered, (long long)loaded, (long long)now_ns(), (long long)polls); return 0;
}
static int ids_file(const char *how) { FILE *f = fopen(opt("file", ""), how); size_t n = I.count, k = !f ? 0 : *how == 'w' ? fwrite(I.pid, 8, n, f) : fread(I.pid, 8, n, f); if (!f || fclose(f) || k != n) die("--file %s: %s", opt("file", ""), strerror(errno)); return 0; }
static int cmd_txnids(void) {
  I.count = num("count", 100000); if (I.count < 1 || I.count > 10000000) die("--count 1 to 10,000,000"); I.pid = calloc(I.count, 8); if (num("wait", 0)) { ids_file("r"); return ids_wait(); }
  Conn c; hello(&c); need(INIT_PRODUCER_ID, 1, "InitProducerId"); find_coordinator(&c, "kload-id-0", 1); pthread_mutex_init(&I.lock, 0); int n = num("conns", 4) & 255; pthread_t th[256]; i64 t0 = now_ns();
  for (int i = 0; i < n; i++) pthread_create(&th[i], 0, ids_maker, 0); for (int i = 0; i < n; i++) pthread_join(th[i], 0);
  double s = (now_ns() - t0) / 1e9; ids_file("w"); printf("{\"cmd\":\"txnids\",\"ids\":%d,\"seconds\":%.4f,\"ids_s\":%.0f}\n", I.count, s, I.count / s); return 0;
}
