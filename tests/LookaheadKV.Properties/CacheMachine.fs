/// The cache as a machine: any list of operations leaves it with the positions, keys, values, lengths and bytes of plain lists. A counterexample shrinks
/// to the few operations that it needs, and prints them.
/// One file, because a state machine is read whole: its model, its commands and how they are drawn.
module LookaheadKV.Properties.CacheMachine

open System
open System.Collections.Generic
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Cache
open LookaheadKV.Eviction
open LookaheadKV.Runtime
open LookaheadKV.Properties.Tensors
open LookaheadKV.Properties.PlainCacheLayer

type Operation =
    /// So many tokens behind every segment of every layer.
    | Append of tokens: int
    /// The same, forgotten again layer by layer.
    | Ask of tokens: int
    /// Keeps so many entries of each segment, evenly spread; leaves room for more.
    | EvictEvenly of keep: int * room: int
    /// Keeps entry i of segment s where bit (i + 3s) mod 8 is set.
    | EvictRagged of bits: int * room: int
    /// Forgets the last so many positions.
    | Crop of back: int
    /// Goes on with a fork; its origin stays, as it was.
    | Fork of room: int
    /// Goes on with the cache before the last fork.
    | Switch
    | Mark
    | RollBack

/// A prompt of Entries entries a segment (fewer in some, where Uneven), at every other position.
type Start =
    {
        Layers: int
        Rows: int
        Heads: int
        Entries: int
        Uneven: bool
        Room: int
    }

type Run =
    {
        Start: Start
        Operations: Operation list
    }

let private operation =
    Gen.frequency
        [
            5, Gen.map Append (Gen.choose (1, 3))
            3, Gen.map Ask (Gen.choose (1, 3))
            2, Gen.map2 (fun keep room -> EvictEvenly(keep, room)) (Gen.choose (0, 4)) (Gen.choose (0, 6))
            2, Gen.map2 (fun bits room -> EvictRagged(bits, room)) (Gen.choose (0, 255)) (Gen.choose (0, 6))
            2, Gen.map Crop (Gen.choose (0, 5))
            2, Gen.map Fork (Gen.choose (0, 6))
            1, Gen.constant Switch
            2, Gen.constant Mark
            3, Gen.constant RollBack
        ]

let private smaller operation =
    let down least n =
        Seq.filter (fun m -> least <= m && m < n) (Seq.distinct [ least; n - 1 ])

    match operation with
    | Append n -> Seq.map Append (down 1 n)
    | Ask n -> Seq.map Ask (down 1 n)
    | EvictEvenly(keep, room) ->
        Seq.append (Seq.map (fun k -> EvictEvenly(k, room)) (down 0 keep)) (Seq.map (fun r -> EvictEvenly(keep, r)) (down 0 room))
    | EvictRagged(bits, room) ->
        Seq.append
            (Seq.append [ EvictEvenly(1, room) ] (Seq.map (fun b -> EvictRagged(b, room)) (down 1 bits)))
            (Seq.map (fun r -> EvictRagged(bits, r)) (down 0 room))
    | Crop n -> Seq.map Crop (down 0 n)
    | Fork n -> Seq.map Fork (down 0 n)
    | Switch
    | Mark
    | RollBack -> Seq.empty

let private simpler start =
    seq {
        if start.Layers > 1 then
            { start with Layers = 1 }

        if start.Rows > 1 then
            { start with Rows = 1 }

        if start.Heads > 1 then
            { start with Heads = 1 }

        if start.Uneven then
            { start with Uneven = false }

        if start.Entries > 0 then
            { start with
                Entries = start.Entries - 1
            }

        if start.Room > 0 then
            { start with Room = start.Room - 1 }
    }

/// Without each operation, with a simpler start, with each operation smaller.
let private shrink run =
    seq {
        for i in 0 .. run.Operations.Length - 1 do
            { run with
                Operations = List.removeAt i run.Operations
            }

        for start in simpler run.Start do
            { run with Start = start }

        for i in 0 .. run.Operations.Length - 1 do
            for operation in smaller run.Operations[i] do
                { run with
                    Operations = List.updateAt i operation run.Operations
                }
    }

type Runs =
    static member Run() =
        let start =
            gen {
                let! layers = Gen.choose (1, 2)
                let! rows = Gen.choose (1, 2)
                let! heads = Gen.choose (1, 3)
                let! entries = Gen.choose (0, 7)
                let! uneven = Gen.elements [ true; false ]
                let! room = Gen.choose (0, 12)

                return
                    {
                        Layers = layers
                        Rows = rows
                        Heads = heads
                        Entries = entries
                        Uneven = uneven
                        Room = room
                    }
            }

        let run =
            gen {
                let! start = start
                let! count = Gen.choose (1, 16)
                let! operations = Gen.listOfLength count operation

                return
                    {
                        Start = start
                        Operations = operations
                    }
            }

        Arb.fromGenShrink (run, shrink)

/// An entry: its position, and a number that no other entry has.
type private Entry = int64 * int

/// A segment: what it holds, and how much it can.
type private Segment = { Held: Entry list; Capacity: int }

/// What a cache should hold: logical lengths of the rows, segments [layer][row · heads + head], and the state at the last mark.
type private Model =
    {
        Seen: int64 list
        Segments: Segment list list
        Marked: (int64 list * Entry list list list) option
    }

let private headSize = 2L

/// Rows [n, 2] of keys and of values that tell an entry from all others.
let private rowsOf (entries: Entry list) =
    let pairs =
        entries |> List.collect (fun (_, name) -> [ single name; single name + 0.25f ])

    let keys = torch.tensor(List.toArray pairs).reshape(-1L, headSize)
    keys, -keys

let private placesOf (entries: Entry list) =
    torch.tensor (entries |> List.map fst |> List.toArray)

let private refused<'error when 'error :> exn> (action: unit -> unit) =
    Assert.Throws<'error>(Action action) |> ignore

/// What a layer sees is what plain lists see: one row at the end, then some of them from where every segment has something.
let private attends (dense: DenseLayer) =
    use _scope = torch.NewDisposeScope()
    let stored = dense :> ICacheLayer
    let plain = PlainCacheLayer.Of stored :> ICacheLayer

    let positions =
        [
            for row in 0L .. stored.Batch - 1L do
                for head in 0L .. stored.KvHeads - 1L do
                    let struct (_, _, positions) = stored.Segment(row, head)
                    integers positions
        ]

    if positions |> List.forall (fun p -> p.Length > 0) then
        let first = positions |> List.map Array.head |> List.max
        let last = positions |> List.map Array.last |> List.max
        let reach = int (last - (positions |> List.map Array.last |> List.min)) + 1

        for rows, window in
            [
                yield [ last ], Nullable()
                yield [ first; last; last + 1L ], Nullable()
                if dense.IsRectangular then
                    yield [ last ], Nullable reach
            ] do
            // Small, since keys are names of entries and large: weights near 0 and 1 would show little.
            let queries =
                torch.randn(stored.Batch, 2L * stored.KvHeads, int64 rows.Length, headSize).mul((0.01).ToScalar())

            let places = torch.tensor(List.toArray rows).expand(stored.Batch, -1L)

            near
                1e-5
                $"attention of {rows.Length} rows"
                (values (plain.Attend(queries, places, window)))
                (values (stored.Attend(queries, places, window)))

/// The cache and its model, step by step; its layers are made by a kind.
type private Machine(start: Start, kind: DenseLayer -> ICacheLayer) =
    let names = Seq.initInfinite id |> _.GetEnumerator()

    let name () =
        names.MoveNext() |> ignore
        names.Current

    let segments = start.Rows * start.Heads

    let prompt =
        {
            Seen = [ for row in 0 .. start.Rows - 1 -> int64 (2 * start.Entries + 1 + row) ]
            Segments =
                [
                    for layer in 0 .. start.Layers - 1 ->
                        [
                            for s in 0 .. segments - 1 ->
                                let count =
                                    if start.Uneven then
                                        (start.Entries + 3 * layer + 2 * s) % (start.Entries + 1)
                                    else
                                        start.Entries

                                {
                                    Held = [ for i in 0 .. count - 1 -> int64 (2 * i + s % 2), name () ]
                                    Capacity = count + start.Room
                                }
                        ]
                ]
            Marked = None
        }

    let newLayer (model: Segment list) =
        new DenseLayer(
            int64 start.Rows,
            int64 start.Heads,
            [| for s in model -> int64 s.Capacity |],
            headSize,
            torch.ScalarType.Float32,
            torch.CPU
        )

    let build (model: Model) =
        let cache = new KeyValueCache(model.Seen)

        for layer in model.Segments do
            let stored = newLayer layer
            let entries = layer |> List.collect _.Held
            let keys, values = rowsOf entries
            stored.Append(keys, values, placesOf entries, [| for s in layer -> int64 s.Held.Length |])
            cache.Add(kind stored)

        cache

    /// Rows [B, G, T, 2] of new entries, position by position.
    let block (added: Entry list list) =
        let tokens = int64 (List.head added).Length
        let keys, values = rowsOf (List.concat added)
        let shape: int64[] = [| int64 start.Rows; int64 start.Heads; tokens; headSize |]
        keys.view shape, values.view shape, (placesOf (List.concat added)).view shape[..2]

    let write (stored: ICacheLayer) added =
        let keys, values, positions = block added
        stored.Append(keys, values, positions)

    /// What each segment gets when its row reads so many tokens.
    let follow (model: Model) tokens =
        [
            for _ in model.Segments ->
                [
                    for s in 0 .. segments - 1 -> [ for t in 0 .. tokens - 1 -> model.Seen[s / start.Heads] + int64 t, name () ]
                ]
        ]

    let appended layer added =
        List.map2 (fun (s: Segment) more -> { s with Held = s.Held @ more }) layer added

    let fits (layer: Segment list) tokens =
        layer |> List.forall (fun s -> s.Held.Length + tokens <= s.Capacity)

    let mutable caches = [ build prompt, prompt ]
    let forgotten = List<KeyValueCache>()

    let agreesDense (stored: DenseLayer) (layer: Segment list) =
        let rooms = layer |> List.map _.Capacity
        check "bytes held" (stored.StorageBytes = 2L * int64 (List.sum rooms) * headSize * 4L)
        check "bytes of positions" (stored.PositionBytes = 8L * int64 (List.sum rooms))

        let rectangle =
            (List.distinct rooms).Length = 1 && (layer |> List.distinctBy _.Held.Length |> List.length) = 1

        check "a rectangle" (stored.IsRectangular = rectangle)

    let agreesLayer (stored: ICacheLayer) (layer: Segment list) =
        check "stored lengths" (List.ofSeq stored.StoredLengths = (layer |> List.map (fun s -> int64 s.Held.Length)))

        layer
        |> List.iteri (fun s segment ->
            let struct (keys, values, positions) =
                stored.Segment(int64 (s / start.Heads), int64 (s % start.Heads))

            let wantedKeys, wantedValues = rowsOf segment.Held
            check $"positions of segment {s}" (List.ofArray (integers positions) = List.map fst segment.Held)
            check $"keys of segment {s}" (sameBits keys wantedKeys)
            check $"values of segment {s}" (sameBits values wantedValues))

        let entries = layer |> List.sumBy _.Held.Length |> int64
        let rooms = layer |> List.map _.Capacity
        check "bytes in use" (stored.Bytes = 2L * entries * headSize * 4L)
        check "the least capacity" (stored.Capacity = int64 (List.min rooms))

        check "the least room" (stored.Room = (layer |> List.map (fun s -> int64 (s.Capacity - s.Held.Length)) |> List.min))

        if (layer |> List.distinctBy _.Held.Length |> List.length) = 1 then
            if stored :? PlainCacheLayer || (List.distinct rooms).Length = 1 then
                let keys, values, positions = block (layer |> List.map _.Held)
                check "keys of the rectangle" (sameBits (keysOf stored) keys)
                check "values of the rectangle" (sameBits (valuesOf stored) values)
                check "positions of the rectangle" (sameBits (positionsOf stored) positions)
        else
            refused<InvalidOperationException>(fun () -> stored.Entries() |> ignore)

        match stored with
        | :? DenseLayer as dense ->
            agreesDense dense layer
            attends dense
        | _ -> ()

    let agrees (cache: KeyValueCache) (model: Model) =
        check "logical lengths" (List.ofSeq cache.LogicalLengths = model.Seen)
        Seq.iter2 agreesLayer cache.Layers model.Segments
        check "bytes of the cache" (cache.Bytes = (cache.Layers |> Seq.sumBy _.Bytes))

    let append (cache: KeyValueCache) (model: Model) tokens =
        let added = follow model tokens

        match
            Seq.zip3 cache.Layers model.Segments added
            |> Seq.tryFind (fun (_, layer, _) -> not (fits layer tokens))
        with
        | Some(stored, _, more) ->
            refused<InvalidOperationException>(fun () -> write stored more)
            None
        | None ->
            Seq.iter2 write cache.Layers added

            Some
                { model with
                    Segments = List.map2 appended model.Segments added
                }

    let evict (cache: KeyValueCache) (model: Model) places room =
        let evicted = new KeyValueCache(model.Seen)

        let layers =
            [
                for stored, layer in Seq.zip cache.Layers model.Segments ->
                    let kept = layer |> List.mapi (fun s segment -> places s segment.Held.Length)

                    let counts =
                        [|
                            for row in kept |> List.chunkBySize start.Heads ->
                                [| for p in row -> int64 (List.length p) |] :> IReadOnlyList<int64>
                        |]

                    use set =
                        new KeptSet(torch.tensor [| for p in List.concat kept -> int64 p |], counts)

                    evicted.Add(Compaction.Keep(stored, set, int64 room))

                    List.map2
                        (fun segment kept ->
                            {
                                Held = kept |> List.map (fun i -> segment.Held[i])
                                Capacity = List.length kept + room
                            })
                        layer
                        kept
            ]

        forgotten.Add cache

        evicted,
        { model with
            Segments = layers
            Marked = None
        }

    let rollBack (cache: KeyValueCache) (model: Model) (mark: CacheMark) =
        match model.Marked with
        | None -> model
        | Some(seen, marked) ->
            let layers =
                List.map2 (List.map2 (fun s (entries: Entry list) -> s.Held.Length >= entries.Length, s, entries)) model.Segments marked

            if layers |> List.concat |> List.forall (fun (holds, _, _) -> holds) then
                cache.RollBack mark

                { model with
                    Seen = seen
                    Segments = layers |> List.map (List.map (fun (_, s, entries) -> { s with Held = entries }))
                }
            else
                refused<ArgumentOutOfRangeException>(fun () -> cache.RollBack mark)
                model

    let marks = Dictionary<KeyValueCache, CacheMark>()

    let step (cache: KeyValueCache, model: Model) operation =
        match operation with
        | Append tokens ->
            match append cache model tokens with
            | None -> cache, model
            | Some next ->
                cache.Advance(int64 tokens)

                cache,
                { next with
                    Seen = [ for n in model.Seen -> n + int64 tokens ]
                }
        | Ask tokens ->
            match append cache model tokens with
            | None -> ()
            | Some next ->
                agrees cache next

                for stored, layer in Seq.zip cache.Layers model.Segments do
                    stored.Truncate([| for s in layer -> int64 s.Held.Length |])

            cache, model
        | EvictEvenly(keep, room) ->
            evict
                cache
                model
                (fun _ length ->
                    let keep = min keep length
                    [ for i in 0 .. keep - 1 -> i * length / keep ])
                room
        | EvictRagged(bits, room) ->
            evict
                cache
                model
                (fun s length ->
                    [
                        for i in 0 .. length - 1 do
                            if (bits >>> ((i + 3 * s) % 8)) &&& 1 = 1 then
                                i
                    ])
                room
        | Crop back ->
            let length = max 0L (List.min model.Seen - int64 back)

            refused<ArgumentOutOfRangeException>(fun () -> cache.Crop(List.min model.Seen + 1L))
            cache.Crop length

            let layers =
                model.Segments
                |> List.map (
                    List.map (fun s ->
                        { s with
                            Held = s.Held |> List.filter (fun (position, _) -> position < length)
                        })
                )
            // A mark whose entries were forgotten is worth nothing once others have taken their places.
            let broken =
                match model.Marked with
                | Some(_, marked) ->
                    List.exists2 (List.exists2 (fun s (entries: Entry list) -> s.Held.Length < entries.Length)) layers marked
                | None -> false

            let model =
                { model with
                    Seen = [ for _ in model.Seen -> length ]
                    Segments = layers
                }

            if broken then
                rollBack cache model marks[cache] |> ignore

            cache, (if broken then { model with Marked = None } else model)
        | Mark ->
            marks[cache] <- cache.Mark()

            cache,
            { model with
                Marked = Some(model.Seen, model.Segments |> List.map (List.map _.Held))
            }
        | RollBack ->
            cache,
            (if marks.ContainsKey cache then
                 rollBack cache model marks[cache]
             else
                 model)
        | Fork _
        | Switch -> failwith "not an operation on one cache"

    member _.Step operation =
        match operation, caches with
        | Fork room, (cache, model) :: _ ->
            let fork = cache.Fork(int64 room)

            let model =
                { model with
                    Segments =
                        model.Segments
                        |> List.map (
                            List.map (fun s ->
                                { s with
                                    Capacity = s.Held.Length + room
                                })
                        )
                }

            match marks.TryGetValue cache with
            | true, mark -> marks[fork] <- mark // the same entries: the origin's mark is good for the fork
            | _ -> ()

            caches <- (fork, model) :: caches
        | Switch, first :: second :: others -> caches <- second :: others @ [ first ]
        | Switch, _ -> ()
        | _, first :: others -> caches <- step first operation :: others
        | _, [] -> failwith "there is always a cache"
        // Those that went on before, too: no cache changes another.
        for cache, model in caches do
            agrees cache model

    interface IDisposable with
        member _.Dispose() =
            for cache, _ in caches do
                cache.Dispose()

            for cache in forgotten do
                cache.Dispose()

let private holdsWhatListsHold (run: Run) kind =
    NativeLibraries.Load() // before the first tensor, which here is no cache's
    use _scope = torch.NewDisposeScope()
    use machine = new Machine(run.Start, kind)

    for operation in run.Operations do
        machine.Step operation

[<Property(Arbitrary = [| typeof<Runs> |], MaxTest = 100)>]
let ``after any operations a cache holds what plain lists hold`` (run: Run) =
    holdsWhatListsHold run (fun layer -> layer)

[<Property(Arbitrary = [| typeof<Runs> |], MaxTest = 100)>]
let ``whatever implements the interface of a layer`` (run: Run) =
    holdsWhatListsHold run (fun layer ->
        use layer = layer
        PlainCacheLayer.Of layer)
