/// A cache layer as plain lists of entries that attends one row, one entry and one number at a time: a second implementation of the interface, which knows
/// nothing of storage, and by which the dense one is checked.
module LookaheadKV.Properties.PlainCacheLayer

open System
open System.Collections.Generic
open TorchSharp
open LookaheadKV.Cache
open LookaheadKV.Properties.Tensors

type Entry =
    {
        Position: int64
        Key: float[]
        Value: float[]
    }

/// Entries of one row and head, and how many there may be.
type PlainSegment = { Held: Entry[]; Capacity: int64 }

type PlainCacheLayer(heads: int64, size: int64, dtype: torch.ScalarType, given: PlainSegment[]) =
    let mutable segments = given

    let inScope (make: unit -> torch.Tensor) =
        use _scope = torch.NewDisposeScope()
        make().MoveToOuterDisposeScope()

    let rowsOf (part: Entry -> float[]) (entries: Entry[]) =
        inScope (fun () -> torch.tensor(entries |> Array.collect part).reshape(-1L, size).``to`` dtype)

    let segmentOf (segment: PlainSegment) =
        struct (rowsOf _.Key segment.Held, rowsOf _.Value segment.Held, torch.tensor (segment.Held |> Array.map _.Position))

    let lengths () =
        segments |> Array.map (fun s -> int64 s.Held.Length)

    let kept (entries: Entry[][]) (reserve: int64) : ICacheLayer =
        new PlainCacheLayer(
            heads,
            size,
            dtype,
            entries
            |> Array.map (fun held ->
                {
                    Held = held
                    Capacity = int64 held.Length + reserve
                })
        )

    let truncate (lengths: int64 seq) =
        segments <-
            Seq.map2
                (fun s n ->
                    { s with
                        Held = Array.truncate (int n) s.Held
                    })
                segments
                lengths
            |> Seq.toArray

    /// What a row at a position sees of a segment.
    let attend (query: float[]) (row: int64) (window: Nullable<int>) (segment: PlainSegment) =
        let visible i =
            let position = segment.Held[i].Position

            position >= 0L && position <= row && (not window.HasValue || position > row - int64 window.Value)

        let weights =
            segment.Held
            |> Array.map (fun entry -> DecoderReference.dot query entry.Key / sqrt (float size))
            |> DecoderReference.softmax visible

        Array.fold2
            (fun sum weight entry -> DecoderReference.add sum (entry.Value |> Array.map ((*) weight)))
            (Array.zeroCreate (int size))
            weights
            segment.Held

    member _.Segments = segments

    /// The entries of another layer, with the room that it has.
    static member Of(layer: ICacheLayer) =
        use _scope = torch.NewDisposeScope()

        let segments =
            [|
                for row in 0L .. layer.Batch - 1L do
                    for head in 0L .. layer.KvHeads - 1L do
                        let struct (keys, values, positions) = layer.Segment(row, head)

                        let held =
                            Array.map3
                                (fun position key value ->
                                    {
                                        Position = position
                                        Key = key
                                        Value = value
                                    })
                                (integers positions)
                                (rows keys)
                                (rows values)

                        {
                            Held = held
                            Capacity = int64 held.Length + layer.Room
                        }
            |]

        new PlainCacheLayer(layer.KvHeads, layer.HeadSize, layer.DType, segments)

    interface ICacheLayer with
        member _.Batch = int64 segments.Length / heads
        member _.KvHeads = heads
        member _.HeadSize = size
        member _.DType = dtype
        member _.Device = torch.CPU
        member _.StoredLengths = lengths ()
        member _.Capacity = segments |> Seq.map _.Capacity |> Seq.min

        member _.Room =
            segments |> Seq.map (fun s -> s.Capacity - int64 s.Held.Length) |> Seq.min

        member this.Bytes = (this :> ICacheLayer).StorageBytes

        member _.StorageBytes =
            let element =
                if dtype = torch.ScalarType.BFloat16 then 2L
                elif dtype = torch.ScalarType.Float32 then 4L
                else 8L

            2L * Seq.sum (lengths ()) * size * element

        member _.PositionBytes = 8L * Seq.sum (lengths ())

        member _.Segment(row, head) =
            segmentOf segments[int (row * heads + head)]

        member this.Entries() =
            if Array.length (Array.distinct (lengths ())) > 1 then
                raise (InvalidOperationException "segments differ in length")

            use _scope = torch.NewDisposeScope()

            let keys, values, positions =
                segments |> Array.map (fun s -> let struct (k, v, p) = segmentOf s in k, v, p) |> Array.unzip3

            let batch = (this :> ICacheLayer).Batch

            let joined (parts: torch.Tensor[]) =
                torch.stack(parts).unflatten(0, batch, heads).MoveToOuterDisposeScope()

            struct (joined keys, joined values, joined positions)

        member this.Append(keys, values, positions) =
            use _scope = torch.NewDisposeScope()
            let count = keys.size 2

            if (this :> ICacheLayer).Room < count then
                raise (InvalidOperationException $"{count} entries do not fit")

            let keys, values = rows keys, rows values

            let positions =
                integers (positions.expand ((this :> ICacheLayer).Batch, heads, count))

            segments <-
                segments
                |> Array.mapi (fun s segment ->
                    let more =
                        [|
                            for i in s * int count .. (s + 1) * int count - 1 ->
                                {
                                    Position = positions[i]
                                    Key = keys[i]
                                    Value = values[i]
                                }
                        |]

                    { segment with
                        Held = Array.append segment.Held more
                    })

        member _.Attend(queries, positions, window) =
            inScope (fun () ->
                let queryHeads, count = int (queries.size 1), int (queries.size 2)
                let queries', at = rows queries, integerRows positions

                let attended =
                    queries'
                    |> Array.mapi (fun i query ->
                        let row, head = i / count / queryHeads, i / count % queryHeads
                        let segment = segments[row * int heads + head / (queryHeads / int heads)]
                        attend query at[row].[i % count] window segment)

                torch.tensor(Array.concat attended: float[]).reshape(queries.shape).``to`` dtype)

        member _.Keep(places, counts, reserve) =
            let places = integers places
            let ends = Seq.scan (+) 0L counts |> Seq.toArray

            kept
                (segments
                 |> Array.mapi (fun s segment -> [| for i in ends[s] .. ends[s + 1] - 1L -> segment.Held[int places[int i]] |]))
                reserve

        member _.Copy reserve =
            kept (segments |> Array.map _.Held) reserve

        member this.Stack(others, reserve) =
            let all =
                Seq.append [ this ] (others |> Seq.map (fun other -> other :?> PlainCacheLayer))

            kept
                [|
                    for layer in all do
                        for segment in layer.Segments -> segment.Held
                |]
                reserve

        member _.Truncate storedLengths =
            if Seq.exists2 (fun n (s: PlainSegment) -> n < 0L || n > int64 s.Held.Length) storedLengths segments then
                raise (ArgumentOutOfRangeException(nameof storedLengths))

            truncate storedLengths

        member _.Crop position =
            segments
            |> Array.map (fun s -> s.Held |> Seq.filter (fun entry -> entry.Position < position) |> Seq.length |> int64)
            |> truncate

        member _.Dispose() = ()
