/// The training loss KL(ŝ_true ‖ ŝ) against plain arrays, and its gradient against finite differences.
module LookaheadKV.Properties.LossLaws

open System
open System.Collections.Generic
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Generation
open LookaheadKV.Training
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

/// Σ_j p_j · log(p_j / q_j), both divided by their sums.
let private divergence (target: float[]) (predicted: float[]) =
    Array.map2
        (fun p q ->
            let p, q = p / Array.sum target, q / Array.sum predicted
            if p = 0.0 then 0.0 else p * log (p / q))
        target
        predicted
    |> Array.sum

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,121)")>]
let ``the loss of a layer is the mean divergence over rows and query heads`` (case: Case) =
    use _scope = torch.NewDisposeScope()

    let draw () =
        torch.rand ([| 2L; int64 (case.Shape.KvHeads * case.Shape.Group); int64 case.Length |], dtype = torch.ScalarType.Float64)

    let target, predicted = draw (), draw ()
    let expected = Array.map2 divergence (rows target) (rows predicted) |> Array.average
    near 1e-12 "loss" [| expected |] (values (LookaheadLoss.Layer(target, predicted)))

    near
        1e-12
        "only the distribution counts"
        [| expected |]
        (values (LookaheadLoss.Layer(target.mul (7.0.ToScalar()), predicted.mul (0.1.ToScalar()))))

    near 1e-12 "nothing is lost on the truth" [| 0.0 |] (values (LookaheadLoss.Layer(target, target)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 25, Replay = "(2026,123)")>]
let ``the training loss of prompts and responses is that of whole passes in plain arrays`` (Precise case) =
    use _scope = torch.NewDisposeScope()
    use decoder = decoder case.Shape
    use lookahead = lookaheadModule case.Shape 3 2 case.Shape.Seed
    // Two prompts of one length whose responses differ in length: padding must neither be seen nor counted.
    let examples =
        [|
            tokens case
            tokens
                { case with
                    Case.Shape.Seed = case.Shape.Seed + 1
                    Suffix = 1 + case.Suffix % 5
                }
        |]

    let expected =
        examples
        |> Array.averageBy (fun (prompt, response) ->
            let truth = DecoderReference.forward decoder (Array.append prompt response)
            let predicted = DecoderReference.withLookahead decoder prompt lookahead

            Array.map2
                (fun truth predicted ->
                    let importance = DecoderReference.importance case.Length
                    Array.map2 divergence (importance truth) (importance predicted) |> Array.average)
                truth.Layers
                predicted.Layers
            |> Array.average)

    use target =
        LookaheadTarget.Compute(decoder, Array.map fst examples, Array.map snd examples)

    let loss = LookaheadTrainer.Loss(decoder, lookahead, target)
    near 1e-4 "loss" [| expected |] (values loss)

    // The same behind the prefill that would have generated the responses: only their rows run.
    let prompts = examples |> Array.map (fst >> fun ids -> ids :> IReadOnlyList<int>)
    let responses = examples |> Array.map snd

    let session =
        BatchSession.StartWhole(decoder, prompts, reserve = 6, execution = executionOf decoder)

    use behind = LookaheadTarget.Behind(decoder, session, responses)
    near 1e-4 "behind the prefill" [| expected |] (values (LookaheadTrainer.Loss(decoder, lookahead, behind)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 15, Replay = "(2026,125)")>]
let ``the gradient with respect to tokens, A and B is that of finite differences`` (Precise case) =
    use _scope = torch.NewDisposeScope()
    let shape = { case.Shape with Precision = Double }
    use decoder = decoder shape
    use lookahead = lookaheadModule shape 2 2 case.Shape.Seed

    let prompt, response =
        tokens
            { case with
                Case.Shape = shape
                Length = 2 + case.Length
            }

    use target = LookaheadTarget.Compute(decoder, [| prompt |], [| response |])

    let loss () =
        LookaheadTrainer.Loss(decoder, lookahead, target)

    for parameter in lookahead.Parameters do
        parameter.requires_grad <- true

    loss().backward()
    let random = System.Random case.Shape.Seed
    let mutable largest = 0.0

    for parameter in lookahead.Parameters do
        let gradient =
            match parameter.grad with
            | null -> failwith "a parameter without gradient"
            | gradient -> values gradient

        use _noGrad = torch.no_grad ()
        use flat = parameter.reshape -1L

        for _ in 1..2 do
            let place = random.Next gradient.Length
            let at = [| torch.TensorIndex.Single(int64 place) |]
            let original = (flat[at]).item<float32>()

            let lossAt (value: float32) =
                flat[at] <- torch.tensor value
                (loss ()).item<double>()

            let above, below = original + 1e-3f, original - 1e-3f
            let slope = (lossAt above - lossAt below) / (float above - float below)
            flat[at] <- torch.tensor original
            largest <- max largest (abs gradient[place])

            check
                $"gradient {gradient[place]}, finite difference {slope} of {parameter}"
                (abs (slope - gradient[place]) <= 1e-5 + 1e-3 * abs slope)

    check "some gradient is not zero" (largest > 0.0)
