/// What holds of fidelity whatever the model, the prompt and the kept set.
module LookaheadKV.Properties.FidelityLaws

open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Evaluation
open LookaheadKV.Eviction
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases

/// Kept sets of random scores, so many entries a head, in every layer.
let private kept (case: Case) count =
    let heads = int64 case.Shape.KvHeads
    use generator = new torch.Generator(uint64 case.Shape.Seed, torch.CPU)

    [|
        for _ in 1 .. case.Shape.Layers do
            use scores = torch.rand ([| 1L; heads; int64 case.Length |], generator = generator)
            Selection.Top(scores, int64 count)
    |]

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,131)")>]
let ``keeping everything loses exactly nothing, keeping less loses something or nothing, and keeping more keeps more attention``
    (Precise case)
    =
    use _scope = torch.NewDisposeScope()
    use decoder = decoder case.Shape
    let prompt, question = tokens case

    use trace =
        new PromptTrace(decoder, prompt, question = question, execution = executionOf decoder)

    use fidelity = Fidelity.Of(decoder, trace, 3) |> nonNull

    let scores =
        [
            for count in [ 1; max 1 (case.Length / 2); case.Length ] -> fidelity.Of(kept case count)
        ]

    for one in scores do
        Assert.True(one.Divergence >= -1e-12 && one.EqualArgmax >= 0.0 && one.EqualArgmax <= 1.0)
        Assert.Equal(fidelity.Tokens, one.Tokens)

    for less, more in List.pairwise scores do
        Assert.True(less.KeptAttention <= more.KeptAttention + 1e-6)

    let whole = List.last scores
    Assert.Equal((0.0, 1.0, 0.0), (whole.Divergence, whole.EqualArgmax, whole.LostLogLikelihood))
    Assert.Equal(1.0, whole.KeptAttention, 5)
