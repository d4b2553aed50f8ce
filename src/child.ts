import { fork, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { abortedError, VcapError, type ErrorCode } from './errors'

/*
 * A child process of ours that answers requests by their number, or is lost. The child's side is `serve` in
 * child-main.ts. Messages are plain data, structured clones of it: typed arrays arrive as such.
 */

/** From the parent. `cancel` names a request whose answer nobody waits for any more. */
export type ToChild<Request> = { id: number; request: Request } | { cancel: number }

/** From the child: `ready` once, when it has started; an answer or an error for each request; events in between. */
export type FromChild<Answer, Event> =
  | { ready: true }
  | { id: number; answer: Answer }
  | { id: number; error: { code: ErrorCode; message: string } }
  | { event: Event }

export interface ChildOptions<Event> {
  onEvent?: (event: Event) => void
  env?: NodeJS.ProcessEnv
  /** Whether what it writes to stderr is dropped. */
  quiet?: boolean
  /** Bytes of memory that it may take, and each process that it starts, where the system can hold it to that. */
  memoryBytes?: number
  /** Open files that the child gets as well, as its descriptors 4, 5, … */
  descriptors?: number[]
  /** Milliseconds that a child which was let go may take to end what it started itself, before it is killed. */
  exitGraceMs: number
}

export interface RequestOptions {
  signal?: AbortSignal | undefined
  /** Milliseconds after which the request is given up. */
  deadlineMs?: number
  /**
   * True where the child makes synchronous calls for this request and meanwhile hears nothing, not even that its parent
   * is gone: it is then killed when it is let go, and when this process exits.
   */
  blocksEvents?: boolean
}

/** The process ended, or could not be reached, before it answered. */
export class ChildLost extends Error {
  /** Whether it had started at all. */
  readonly started: boolean

  constructor(message: string, started: boolean) {
    super(message)
    this.started = started
  }
}

/** The request's deadline passed before the child answered. */
export class ChildOverdue extends Error {}

/** Children that hear nothing now and so must be killed when this process exits. */
const deafChildren = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of deafChildren) child.kill('SIGKILL')
})

interface Pending<Answer> {
  resolve: (answer: Answer) => void
  reject: (error: Error) => void
}

export class Child<Request, Answer, Event = never> {
  /** False once it has ended or was let go. */
  alive = true
  readonly #child: ChildProcess
  readonly #onEvent: ((event: Event) => void) | undefined
  readonly #exitGraceMs: number
  readonly #pending = new Map<number, Pending<Answer>>()
  /** Requests with `blocksEvents` that it has not answered, those among them that were given up. */
  readonly #blocking = new Set<number>()
  #resolveReady!: () => void
  #rejectReady!: (error: ChildLost) => void
  #started = false
  #gone = false
  #nextId = 0
  /** Resolves when the child has started; rejects with `ChildLost` where it never does. */
  readonly ready = new Promise<void>((resolve, reject) => {
    this.#resolveReady = resolve
    this.#rejectReady = reject
  })

  /** Starts `main`, a JavaScript file, as a process of its own. Throws `ChildLost` where the system refuses at once. */
  constructor(main: string, options: ChildOptions<Event>) {
    const { onEvent, exitGraceMs } = options
    this.#onEvent = onEvent
    this.#exitGraceMs = exitGraceMs
    this.ready.catch(() => undefined) // nobody has to wait for it
    this.#child = forkProcess(main, options)
    this.#child.on('message', (message) => this.#receive(message as FromChild<Answer, Event>))
    this.#child.on('error', ({ message }) => this.#lose(message))
    this.#child.on('exit', (status, signal) => {
      this.#gone = true
      this.#lose(signal ?? `exit status ${status}`)
    })
  }

  /** Of the process; undefined where there is none. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /**
   * The child's answer. Rejects with the error that the child answered instead, with `ChildLost`, `ChildOverdue` or
   * `aborted`. In the last two cases the child is told and stays.
   */
  async request(request: Request, options: RequestOptions = {}): Promise<Answer> {
    const { signal, deadlineMs, blocksEvents = false } = options
    if (signal?.aborted) throw abortedError(signal)
    if (!this.alive) throw new ChildLost('it has ended', this.#started)
    const id = this.#nextId++
    const giveUp = (error: Error) => {
      this.#pending.get(id)?.reject(error)
      this.#send({ cancel: id })
    }
    const onAbort = () => giveUp(abortedError(signal!))
    const timer = deadlineMs === undefined ? undefined : setTimeout(() => giveUp(new ChildOverdue()), deadlineMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject })
        this.#keepOwnerAlive()
        if (blocksEvents) this.#block(id)
        this.#send({ id, request })
      })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      this.#pending.delete(id)
      this.#keepOwnerAlive()
    }
  }

  /** Lets the child go: it ends by itself and ends what it started. One that hears nothing is killed. */
  end(): void {
    this.alive = false
    this.#keepOwnerAlive()
    if (deafChildren.has(this.#child)) this.#child.kill('SIGKILL')
    if (!this.#child.connected) return
    this.#child.disconnect()
    setTimeout(() => this.#child.kill('SIGKILL'), this.#exitGraceMs).unref()
  }

  /** Lets the child go, as `end` does, and resolves when its process is gone. */
  stop(): Promise<void> {
    this.end()
    if (this.#gone || this.pid === undefined) return Promise.resolve()
    this.#child.ref()
    return new Promise((resolve) => this.#child.once('exit', () => resolve()))
  }

  #send(message: ToChild<Request>): void {
    // What cannot be sent is answered by the process's end.
    if (this.#child.connected) this.#child.send(message, (error) => error && this.#lose(error.message))
  }

  #receive(message: FromChild<Answer, Event>): void {
    if ('ready' in message) {
      this.#started = true
      this.#keepOwnerAlive()
      this.#resolveReady()
    } else if ('event' in message) {
      this.#onEvent?.(message.event)
    } else {
      this.#unblock(message.id)
      const pending = this.#pending.get(message.id)
      if ('error' in message) pending?.reject(new VcapError(message.error.code, message.error.message))
      else pending?.resolve(message.answer)
    }
  }

  #lose(why: string): void {
    this.end()
    for (const id of this.#blocking) this.#unblock(id)
    const lost = new ChildLost(why, this.#started)
    this.#rejectReady(lost)
    for (const { reject } of this.#pending.values()) reject(lost)
  }

  #block(id: number): void {
    this.#blocking.add(id)
    deafChildren.add(this.#child)
  }

  #unblock(id: number): void {
    this.#blocking.delete(id)
    if (this.#blocking.size === 0) deafChildren.delete(this.#child)
  }

  /** A child that starts or works keeps this process from ending, an idle one does not. */
  #keepOwnerAlive(): void {
    const starts = this.alive && !this.#started
    const how = starts || this.#pending.size > 0 ? 'ref' : 'unref'
    this.#child[how]()
    this.#child.channel?.[how]()
  }
}

function forkProcess<Event>(main: string, options: ChildOptions<Event>): ChildProcess {
  const { env, quiet = false, descriptors = [], memoryBytes } = options
  try {
    return fork(main, [], {
      serialization: 'advanced',
      ...(memoryBytes === undefined ? { execArgv: [] } : limited(memoryBytes)),
      // A session of its own: Ctrl-C and a hangup reach the parent alone, which decides what becomes of the work.
      detached: true,
      stdio: ['ignore', 'ignore', quiet ? 'ignore' : 'inherit', 'ipc', ...descriptors],
      env: withoutKeys(env ?? process.env)
    })
  } catch (error) {
    throw new ChildLost((error as Error).message, false)
  }
}

/** No child of ours asks an API, and what it may read of strangers' files must not find a key. */
function withoutKeys(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^OPENAI_.*KEY|^OPENAI_.*SECRET/.test(name)))
}

/**
 * Node has no call for limits: a shell sets them and becomes Node. Only Linux counts what is mapped for data (ulimit
 * -d); all that is mapped (-v) could not be limited, since Node reserves much more than it uses. A process that is
 * refused memory often ends by a signal, and its image (-c) would fill the disk.
 */
function limited(memoryBytes: number): { execPath?: string; execArgv: string[] } {
  if (process.platform !== 'linux' || !fs.existsSync(shell)) return { execArgv: [] }
  const limits = `ulimit -c 0; ulimit -d ${Math.ceil(memoryBytes / 1024)}`
  return { execPath: shell, execArgv: ['-c', `{ ${limits}; } 2>/dev/null; exec "$0" "$@"`, process.execPath] }
}

const shell = '/bin/sh'
