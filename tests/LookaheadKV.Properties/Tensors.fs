/// Bits and plain arrays of tensors.
module LookaheadKV.Properties.Tensors

open System
open TorchSharp
open LookaheadKV.Cache

/// All values, last dimension fastest, in double precision.
let values (tensor: torch.Tensor) =
    use _scope = torch.NewDisposeScope()
    tensor.detach().``to``(torch.ScalarType.Float64).cpu().flatten().data<double>().ToArray()

let integers (tensor: torch.Tensor) =
    use _scope = torch.NewDisposeScope()
    tensor.detach().``to``(torch.ScalarType.Int64).cpu().contiguous().data<int64>().ToArray()

/// The last dimension in rows.
let rows (tensor: torch.Tensor) =
    values tensor |> Array.chunkBySize (int (tensor.size -1))

let integerRows (tensor: torch.Tensor) =
    integers tensor |> Array.chunkBySize (int (tensor.size -1))

/// Keys of a layer whose segments are equally long, [B, G, n, D].
let keysOf (layer: ICacheLayer) =
    let struct (keys, _, _) = layer.Entries()
    keys

/// Their values.
let valuesOf (layer: ICacheLayer) =
    let struct (_, values, _) = layer.Entries()
    values

/// Their positions, [B, G, n].
let positionsOf (layer: ICacheLayer) =
    let struct (_, _, positions) = layer.Entries()
    positions

/// Entries of every segment of a layer, where they are equally many.
let storedLength (layer: ICacheLayer) =
    layer.StoredLengths |> Seq.distinct |> Seq.exactlyOne

/// The exact bytes, in logical order.
let bytes (tensor: torch.Tensor) =
    use _scope = torch.NewDisposeScope()
    tensor.detach().cpu().contiguous().clone().bytes.ToArray()

let sameBits (a: torch.Tensor) (b: torch.Tensor) =
    a.dtype = b.dtype && a.shape = b.shape && bytes a = bytes b

/// The largest difference, relative to the size of the expected values.
let distance (expected: double[]) (actual: double[]) =
    if expected.Length <> actual.Length then
        failwith $"{actual.Length} values instead of {expected.Length}"

    let scale = 1.0 + (expected |> Array.map abs |> Array.fold max 0.0)
    // An explicit comparison: a NaN anywhere must not look like agreement.
    Array.fold2 (fun worst e a -> if abs (e - a) <= worst then worst else abs (e - a)) 0.0 expected actual
    / scale

/// The root-mean-square difference over the root-mean-square of the expected values.
let meanDistance (expected: double[]) (actual: double[]) =
    let meanSquare = Array.averageBy (fun x -> x * x)
    sqrt (meanSquare (Array.map2 (-) expected actual) / meanSquare expected)

let near tolerance what expected actual =
    let d = distance expected actual

    if d <= tolerance then
        ()
    else
        failwith $"{what}: relative distance {d} is above {tolerance}"

let check what condition =
    if not condition then
        failwith what

/// Scores [batch][head][position] as a float32 tensor.
let tensor3 (values: float[][][]) =
    use _scope = torch.NewDisposeScope()
    let head = Array.head (Array.head values)
    let flat = values |> Array.collect (Array.collect (Array.map single))
    torch.tensor(flat).reshape(int64 values.Length, int64 (Array.head values).Length, int64 head.Length).MoveToOuterDisposeScope()
