namespace LookaheadKV.FSharp

/// Fewer columns for pictures: neighbouring positions share a column and the largest value stands for all of them, so that a single
/// important token is never averaged away.
module Binning =

    /// <summary>How many neighbouring positions share a column when at most <paramref name="columns"/> may be drawn.</summary>
    let width columns length =
        max 1 ((length + columns - 1) / columns)

    /// <summary>The largest value of each bin.</summary>
    /// <param name="columns">The most bins there may be, at least 1.</param>
    /// <param name="row">One value a position.</param>
    let byMax columns (row: float32[]) =
        row |> Array.chunkBySize (width columns row.Length) |> Array.map Array.max

    /// <summary>The first position of each bin.</summary>
    /// <param name="columns">The most bins there may be, at least 1.</param>
    /// <param name="length">How many positions there are.</param>
    let starts columns length =
        [| 0 .. width columns length .. length - 1 |]
