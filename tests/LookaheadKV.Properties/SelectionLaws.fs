/// Law 1: kept positions are strictly increasing, unique, below N; protected ⊆ kept; counts add up exactly; ties go to the lower position; a larger
/// budget keeps a superset. Law 2: protection is a set operation, never a large score.
module LookaheadKV.Properties.SelectionLaws

open System
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open LookaheadKV
open LookaheadKV.Eviction
open LookaheadKV.Properties.Tensors

/// Scores [batch][head][position] and a budget that can hold what is protected.
type Ranking =
    {
        Scores: float[][][]
        First: int
        Last: int
        Count: int
    }

/// Few distinct values, infinities among them, so that most positions tie; or many, so that hardly any does.
let private score =
    Gen.oneof
        [
            Gen.elements
                [
                    0.0
                    0.0
                    0.25
                    1.0
                    -1.0
                    Double.PositiveInfinity
                    Double.NegativeInfinity
                    float Single.MaxValue
                ]
            Gen.map (fun x -> float (single x / 1000.0f)) (Gen.choose (-100000, 100000))
        ]

let private ranking =
    gen {
        let! batch = Gen.choose (1, 2)
        let! heads = Gen.choose (1, 3)
        let! length = Gen.choose (1, 40)

        let! values =
            Gen.oneof
                [
                    Gen.arrayOfLength (batch * heads * length) score
                    Gen.constant (Array.zeroCreate (batch * heads * length))
                ]

        let! first = Gen.choose (0, 5)
        let! last = Gen.choose (0, 5)
        let! count = Gen.choose (max 1 (min length (first + last)), length)

        return
            {
                Scores = values |> Array.chunkBySize length |> Array.chunkBySize heads
                First = first
                Last = last
                Count = count
            }
    }

type Rankings =
    static member Ranking() = Arb.fromGen ranking

let private lengthOf (r: Ranking) =
    (Array.head (Array.head r.Scores)).Length

let private keptWith count (r: Ranking) =
    use scores = tensor3 r.Scores
    use kept = Selection.Top(scores, int64 count, Protection(r.First, r.Last))
    check "the set's own count" (kept.Count = int64 count)
    check "int64 positions" (kept.Positions.dtype = TorchSharp.torch.ScalarType.Int64)
    Array.init r.Scores.Length (fun row -> kept.ToArrays row |> Array.map (Array.map int))

let private isProtected (r: Ranking) length position =
    position < r.First || position >= length - r.Last

/// Plain ranking: protected ones first, then by score, then the lower position.
let private reference count (r: Ranking) =
    let length = lengthOf r

    r.Scores
    |> Array.map (
        Array.map (fun scores ->
            [| 0 .. length - 1 |]
            |> Array.sortBy (fun p -> not (isProtected r length p), -scores[p], p)
            |> Array.take count
            |> Array.sort)
    )

[<Property(Arbitrary = [| typeof<Rankings> |], MaxTest = 300)>]
let ``the kept set is that of a plain sort`` (r: Ranking) =
    keptWith r.Count r = reference r.Count r

[<Property(Arbitrary = [| typeof<Rankings> |])>]
let ``kept positions increase strictly, lie below N and add up to the budget`` (r: Ranking) =
    let length = lengthOf r

    keptWith r.Count r
    |> Array.concat
    |> Array.forall (fun kept ->
        kept.Length = r.Count
        && kept |> Array.pairwise |> Array.forall (fun (a, b) -> a < b)
        && kept[0] >= 0
        && kept[kept.Length - 1] < length)

[<Property(Arbitrary = [| typeof<Rankings> |])>]
let ``whatever is protected is kept, whatever its score`` (r: Ranking) =
    let length = lengthOf r

    let poorest =
        r.Scores
        |> Array.map (
            Array.map (
                Array.mapi (fun p s ->
                    if isProtected r length p then
                        Double.NegativeInfinity
                    else
                        s)
            )
        )

    let wanted =
        Set
            [
                for p in 0 .. length - 1 do
                    if isProtected r length p then
                        p
            ]

    let same = keptWith r.Count { r with Scores = poorest }
    // The protected positions' own scores must not matter at all.
    same = keptWith r.Count r
    && same |> Array.concat |> Array.forall (fun kept -> Set.isSubset wanted (Set kept))

[<Property(Arbitrary = [| typeof<Rankings> |])>]
let ``a larger budget keeps a superset`` (r: Ranking) =
    let smaller = keptWith r.Count r |> Array.concat
    let length = lengthOf r

    seq { r.Count .. length }
    |> Seq.forall (fun count -> Array.forall2 (fun a b -> Set.isSubset (Set a) (Set b)) smaller (keptWith count r |> Array.concat))

let private refusal (run: unit -> unit) =
    Assert.Throws<InputException>(Action run).Message

[<Property(Arbitrary = [| typeof<Rankings> |])>]
let ``a budget of nothing, beyond the prompt or below what is protected is refused by name`` (r: Ranking) =
    let length = lengthOf r

    let refused count =
        let message = refusal (fun () -> keptWith count r |> ignore)
        message.Contains $"budget {count} " && not (message.Contains "\n")

    let needed = min length (r.First + r.Last)
    refused 0 && refused -1 && refused (length + 1) && (needed <= 1 || (refused (needed - 1)))

[<Property(Arbitrary = [| typeof<Rankings> |])>]
let ``a score that is not a number is refused`` (r: Ranking) (place: NonNegativeInt) =
    let head = r.Scores[r.Scores.Length - 1] |> Array.last
    head[place.Get % head.Length] <- Double.NaN
    (refusal (fun () -> keptWith r.Count r |> ignore)).Contains "NaN"

[<Property(Arbitrary = [| typeof<Rankings> |])>]
let ``what is protected is counted and masked alike`` (r: Ranking) =
    let length = lengthOf r
    let protection = Protection(r.First, r.Last)
    use mask = protection.Mask(int64 length, TorchSharp.torch.CPU)

    let wanted =
        [| for p in 0 .. length - 1 -> if isProtected r length p then 1L else 0L |]

    integers mask = wanted && protection.Count(int64 length) = Array.sum wanted
