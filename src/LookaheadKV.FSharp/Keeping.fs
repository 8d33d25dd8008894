namespace LookaheadKV.FSharp

open LookaheadKV.Evaluation

/// Kept sets, counted. A kept set here is plain arrays: positions by layer and key/value head.
module Keeping =

    /// <summary>How many (layer, kv head) pairs there are.</summary>
    let pairs (kept: int[][][]) = kept |> Array.sumBy Array.length

    /// <summary>How many (layer, kv head) pairs keep each position.</summary>
    /// <param name="length">How many positions the prompt has.</param>
    /// <param name="kept">Positions by layer and kv head.</param>
    let counts length (kept: int[][][]) =
        let counts = Array.zeroCreate<int> length

        for position in kept |> Seq.collect Seq.concat do
            counts[position] <- counts[position] + 1

        counts

    /// <summary>Share of a reference's positions that are kept too, by layer and kv head; 1 where the reference keeps nothing.</summary>
    /// <param name="reference">What should be kept, the oracle's set usually.</param>
    /// <param name="kept">What is kept.</param>
    let recallByHead (reference: int[][][]) (kept: int[][][]) =
        let share (wanted: int[]) (had: int[]) =
            let had = Set.ofArray had

            if wanted.Length = 0 then
                1.0
            else
                float (wanted |> Seq.filter had.Contains |> Seq.length) / float wanted.Length

        Array.map2 (Array.map2 share) reference kept

    /// <summary>Share of a reference's positions that are kept too, by layer: the mean over its kv heads.</summary>
    /// <param name="reference">What should be kept, the oracle's set usually.</param>
    /// <param name="kept">What is kept.</param>
    let recall (reference: int[][][]) (kept: int[][][]) =
        recallByHead reference kept |> Array.map Array.average

    /// <summary>Share of a row's sum that its largest values hold: element C - 1 is the share of the C largest.</summary>
    /// <param name="row">Values of at least 0, one a position, not all 0.</param>
    let topShares (row: float32[]) =
        let sums =
            row |> Array.sortDescending |> Array.scan (fun sum value -> sum + float value) 0.

        sums[1..] |> Array.map (fun sum -> sum / Array.last sums)

    /// <summary>The same prompt with the kept sets of some policies alone.</summary>
    /// <param name="policies">Their names, each among the anatomy's.</param>
    /// <param name="anatomy">One prompt, looked into.</param>
    let only (policies: string list) (anatomy: Anatomy) = anatomy.Only policies
