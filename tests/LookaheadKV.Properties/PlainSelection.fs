/// What a policy must keep, from its scores, by sorting and counting in plain arrays and whole numbers.
module LookaheadKV.Properties.PlainSelection

open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases

/// Numerators of the layers' quotas, and their common denominator.
let private quotas (case: Case) =
    // No layer of a pyramid is left without an entry.
    let layers, entries, held =
        case.Shape.Layers, entriesOf case, max 1 (heldCount case)

    match fst (sharing case) with
    | Slope halves when layers > 1 ->
        let steps = layers - 1
        let denominator = layers * halves * steps
        let mean = (entries - layers * held) * halves * steps // beside what is protected
        let most = (case.Length - held) * denominator
        let last = 2 * mean / halves
        let first = 2 * mean - last

        let first, last = if first > most then most, 2 * mean - most else first, last

        Array.init layers (fun l -> held * denominator + first - (first - last) / steps * l), denominator
    | _ -> Array.create layers entries, layers

/// Entries that a head keeps in each layer, where the layers' scores do not compete: quotas rounded down, what is missing given to the largest remainders.
let layerCounts (case: Case) =
    let quotas, denominator = quotas case
    let parts = quotas |> Array.map (fun q -> q / denominator)
    let missing = entriesOf case - Array.sum parts

    let lucky =
        [| 0 .. quotas.Length - 1 |]
        |> Array.sortBy (fun l -> -(quotas[l] % denominator), l)
        |> Array.take missing

    parts |> Array.mapi (fun l part -> if Array.contains l lucky then part + 1 else part)

/// Positions of one head by rank: protected ones first, then by score, then the lower position.
let private ranked (case: Case) (scores: float[]) =
    [| 0 .. scores.Length - 1 |] |> Array.sortBy (fun p -> not (isProtected case p), -scores[p], p)

/// Heads that share a pool of slots: each is sure of its first so many by rank, the best of the rest take what is left; ties go to the lower position,
/// then to the lower head.
let private pool (case: Case) (scores: float[][]) total own =
    let sure = scores |> Array.map (ranked case >> Array.take own >> Set)

    let best =
        [|
            for head in 0 .. scores.Length - 1 do
                for p in 0 .. scores[head].Length - 1 do
                    if not (sure[head].Contains p) then
                        head, p
        |]
        |> Array.sortBy (fun (head, p) -> -scores[head][p], p, head)
        |> Array.take (total - own * scores.Length)

    sure
    |> Array.mapi (fun head sure -> best |> Array.filter (fst >> (=) head) |> Array.map snd |> Set |> Set.union sure |> Set.toArray)

/// Kept positions [layer][kv head] of scores [layer][kv head][position].
let select (case: Case) (scores: float[][][]) =
    let held, heads = heldCount case, case.Shape.KvHeads

    match sharing case with
    | Pool, _ -> pool case (Array.concat scores) (heads * entriesOf case) held |> Array.chunkBySize heads
    | _, Competing hundredths ->
        Array.map2
            (fun count scores -> pool case scores (heads * count) (held + hundredths * (count - held) / 100))
            (layerCounts case)
            scores
    | _, Same -> Array.map2 (fun count -> Array.map (ranked case >> Array.take count >> Array.sort)) (layerCounts case) scores
