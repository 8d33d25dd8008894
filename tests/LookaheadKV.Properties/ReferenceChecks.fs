/// The decoder itself against the reference in double-precision arrays, layer by layer.
module LookaheadKV.Properties.ReferenceChecks

open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Generation
open LookaheadKV.Passes
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 80, Replay = "(2026,103)")>]
let ``queries, keys, values and logits of a prompt are those of plain arrays`` (Precise case) =
    use _noGrad = torch.no_grad ()
    use _scope = torch.NewDisposeScope()
    use decoder = decoder case.Shape
    let prompt, _ = tokens case
    let reference = DecoderReference.forward decoder prompt

    let hidden =
        PromptPass.Run(
            decoder,
            decoder.Ids prompt,
            (fun layer rows ->
                let compare what (expected: DecoderReference.Vector[][]) actual =
                    near 1e-4 $"{what} of layer {layer}" (expected |> Array.collect Array.concat) (values actual)

                compare "queries" reference.Layers[layer].Queries rows.Queries
                compare "keys" reference.Layers[layer].Keys rows.Keys
                compare "values" reference.Layers[layer].Values rows.Values),
            execution = executionOf decoder
        )

    near 1e-4 "logits" (Array.concat reference.Logits) (values (decoder.Logits hidden))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,105)")>]
let ``rotary angles turn pairs half a head apart, at successive and at given positions`` (case: Case) =
    use _noGrad = torch.no_grad ()
    use _scope = torch.NewDisposeScope()
    use decoder = decoder { case.Shape with Precision = Single }
    let count = case.Suffix
    let x = torch.randn [| 1L; 2L; int64 count; int64 case.Shape.HeadSize |]

    let expected =
        rows x
        |> Array.mapi (fun i row -> DecoderReference.rotate decoder.Config.RopeTheta (case.Length + i % count) row)
        |> Array.concat

    let successive = decoder.Angles(int64 case.Length, int64 count).Apply x

    let given =
        decoder.AnglesAt(torch.arange(case.Length, case.Length + count).unsqueeze 0).Apply x

    near 2e-5 "successive" expected (values successive)
    check "given" (sameBits successive given)
