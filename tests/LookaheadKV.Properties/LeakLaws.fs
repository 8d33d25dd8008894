/// Law 8: no tensor outlives its scope: live-tensor counts are flat over repeated runs, whatever the policy, and when a run is refused or cancelled midway.
module LookaheadKV.Properties.LeakLaws

open System
open System.Threading
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV
open LookaheadKV.Budgeting
open LookaheadKV.Cache
open LookaheadKV.Eviction
open LookaheadKV.Generation
open LookaheadKV.Training
open LookaheadKV.Methods
open LookaheadKV.Scoring
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

let private live () =
    DisposeScopeManager.Statistics.ThreadTotalLiveCount

let private flat (run: unit -> unit) =
    // The first run may compile operators.
    run ()
    let before = live ()

    for _ in 1..3 do
        run ()

    let after = live ()

    if after <> before then
        failwith $"{after - before} tensors more are alive after three runs"

let private throws<'e when 'e :> exn> (run: unit -> unit) = Assert.Throws<'e>(Action run) |> ignore

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40)>]
let ``sessions leave no tensor behind`` (case: Case) =
    flat (fun () ->
        withCase case (fun decoder policy ->
            let prompt, suffix = tokens case

            use session =
                Session.Start(decoder, prompt, policy, case.Suffix + 3, execution = executionOf decoder)

            (session.Append suffix).Dispose()
            session.Generate 3 |> Seq.iter ignore
            Session.GreedyResponse(decoder, prompt, 4, execution = executionOf decoder) |> ignore
            use stacked = CacheStacking.Stack([| session.Cache; session.Cache |], 1)
            use kept = Selection.All(1, 2, 5, torch.CPU)
            kept.ToArrays() |> ignore))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40)>]
let ``a run whose budget is refused leaves no tensor behind`` (case: Case) =
    let window = 1 + case.Length

    let case =
        { case with
            Length = case.Length + 4
            Recipe = Recipe.snapkv window 3
            Kept = window - 1
        }

    flat (fun () ->
        withCase case (fun decoder policy ->
            throws<InputException>(fun () -> Session.Start(decoder, fst (tokens case), policy, execution = executionOf decoder) |> ignore)))

/// Acts when a layer is reached: what interrupts a prefill when some layers are already in the cache.
let private at layer (action: unit -> unit) =
    { new IPromptScorer with
        member _.Name = "interrupted"

        member _.Score(_, current, prompt) =
            if current = layer then
                action ()

            StreamingLlm.Score prompt.Keys
    }

let private interrupted (case: Case) layer (action: unit -> unit) cancellation decoder =
    let policy =
        EvictionPolicy(Name = "interrupted", Scorer = at layer action, Budget = Budget.Tokens case.Kept)

    Session.Start(decoder, fst (tokens { case with Length = case.Length + 1 }), policy, 3, cancellation, execution = executionOf decoder)
    |> ignore

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40)>]
let ``a prefill that fails or is cancelled midway leaves no tensor behind`` (case: Case) =
    let shape = { case.Shape with Layers = 3 }
    use _noGrad = torch.no_grad ()
    use decoder = decoder shape

    for layer in 0..1 do
        flat (fun () ->
            throws<InputException>(fun () ->
                interrupted case layer (fun () -> raise (InputException "stop")) CancellationToken.None decoder))

        flat (fun () ->
            use source = new CancellationTokenSource()
            throws<OperationCanceledException>(fun () -> interrupted case layer source.Cancel source.Token decoder))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40)>]
let ``lookahead and oracle runs cancelled before the first layer leave no tensor behind`` (case: Case) (oracle: bool) =
    let case =
        { case with
            Length = case.Length + 1
            Recipe = if oracle then Recipe.oracle else Recipe.lookahead 3 2 1
        }

    flat (fun () ->
        withCase case (fun decoder policy ->
            use source = new CancellationTokenSource()
            source.Cancel()

            throws<OperationCanceledException>(fun () ->
                Session.Start(decoder, fst (tokens case), policy, 1, source.Token, execution = executionOf decoder)
                |> ignore)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 30)>]
let ``training targets and losses leave no tensor behind`` (case: Case) =
    flat (fun () ->
        let prompt, response = tokens case
        use decoder = decoder case.Shape
        use lookahead = lookaheadModule case.Shape 3 2 case.Shape.Seed

        use target =
            LookaheadTarget.Compute(decoder, [| prompt; prompt |], [| response; response[..0] |])

        use some = target.Select [| 1 |]
        use all = LookaheadTrainer.Loss(decoder, lookahead, target)
        use one = LookaheadTrainer.Loss(decoder, lookahead, some)
        check "finite" (values all |> Array.forall Double.IsFinite && values one |> Array.forall Double.IsFinite))
