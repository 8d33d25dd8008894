/// Law 6: base weights and prompt rows are bit-identical with and without lookahead modules. And the pass itself: rows carried through the layers behind
/// the prompt equal one causal pass over [prompt; lookahead tokens] whose deltas touch the last rows only.
module LookaheadKV.Properties.LookaheadLaws

open System
open System.Security.Cryptography
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Budgeting
open LookaheadKV.Eviction
open LookaheadKV.Methods
open LookaheadKV.Generation
open LookaheadKV.Passes
open LookaheadKV.Lookahead
open LookaheadKV.Models
open LookaheadKV.Scoring
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

let private familyOf (case: Case) =
    families[case.Shape.Seed / 2 % families.Length]

let private hash (decoder: Decoder) =
    [| for weight in decoder.Weights.All -> bytes weight |] |> Array.concat |> SHA256.HashData

let private lookaheadOf (case: Case) =
    if case.Recipe.Method = LookaheadScore.MethodName then
        case
    else
        { case with
            Recipe = Recipe.lookahead (1 + case.Shape.Seed % 6) (case.Shape.Seed % 4) case.Shape.Seed
        }

/// A module changes no bit of the weights, of what is kept of the prompt, or of the first token's logits.
let private changesNothing (case: Case) (decoder: Decoder) (policy: EvictionPolicy) =
    let prompt, _ = tokens case
    let before = hash decoder

    use full =
        Session.Start(decoder, prompt, EvictionPolicy.Full, 1, execution = executionOf decoder)

    use evicted =
        Session.Start(decoder, prompt, policy, 1, execution = executionOf decoder)

    check "weights" (hash decoder = before)
    check "next logits" (sameBits full.NextLogits evicted.NextLogits)

    for layer in 0 .. case.Shape.Layers - 1 do
        use _scope = torch.NewDisposeScope()
        let all, kept = full.Cache.Layers[layer], evicted.Cache.Layers[layer]

        let index =
            (positionsOf kept).unsqueeze(-1).expand(-1L, -1L, -1L, int64 case.Shape.HeadSize)

        check "keys" (sameBits ((keysOf all).gather(2L, index)) (keysOf kept))
        check "values" (sameBits ((valuesOf all).gather(2L, index)) (valuesOf kept))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60)>]
let ``a lookahead module changes no bit of the weights, of the prompt's rows, or of the first token's logits`` (case: Case) =
    let case = lookaheadOf case
    withCase case (changesNothing case)

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 100)>]
let ``in every family selective LoRA leaves the prompt's rows bit for bit as the base model has them`` (case: Case) =
    use decoder = familyDecoder (familyOf case) case.Shape
    use lookahead = lookaheadModule case.Shape 3 2 case.Shape.Seed
    changesNothing case decoder (LookaheadMethod.Policy(lookahead).With(Budget.Tokens(max 1 (case.Length / 2))))

/// Runs an observer behind a prompt through all layers; the prompt's rows and the observer's are handed on layer by layer.
let private observe (decoder: Decoder) (observer: IObserver) (prompt: int[]) (onLayer: int -> LayerRows -> LayerRows -> unit) =
    use _scope = torch.NewDisposeScope()
    use pass = new ObserverPass(decoder, observer, 1, int64 prompt.Length, onLayer)
    PromptPass.Run(decoder, decoder.Ids prompt, pass, execution = executionOf decoder) |> ignore

let private compareRows what (length: int) (expected: DecoderReference.Vector[][]) (actual: torch.Tensor) =
    near 1e-4 what (expected |> Array.collect (Array.skip length >> Array.concat)) (values actual)

/// Biases and norms of heads stand beside the deltas, and which of them a model has is its family's.
[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 100, Replay = "(2026,63)")>]
let ``in every family the observer's rows are those of one causal pass over prompt and lookahead tokens`` (Precise case) =
    let case = lookaheadOf case

    use _noGrad = torch.no_grad ()
    use decoder = familyDecoder (familyOf case) case.Shape
    use lookahead = modulesOf case.Shape case.Recipe
    let prompt, _ = tokens case
    let reference = DecoderReference.withLookahead decoder prompt lookahead

    observe decoder lookahead prompt (fun layer rows observer ->
        let expected = reference.Layers[layer]
        compareRows $"queries of layer {layer}" case.Length expected.Queries observer.Queries
        compareRows $"keys of layer {layer}" case.Length expected.Keys observer.Keys
        // Nothing reads the last layer's values: they cannot touch a score, and have no deltas.
        compareRows $"values of layer {layer}" case.Length expected.Values observer.Values
        use scores = LookaheadScore.Score(rows.Keys, observer)
        near 1e-4 $"scores of layer {layer}" (DecoderReference.importance case.Length expected |> Array.concat) (values scores))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,65)")>]
let ``the oracle's score is the mean attention of the answer in one teacher-forced pass`` (Precise case) =
    use _noGrad = torch.no_grad ()
    use decoder = decoder case.Shape
    let prompt, answer = tokens case
    let reference = DecoderReference.forward decoder (Array.append prompt answer)

    observe decoder (ResponseRows answer) prompt (fun layer rows observer ->
        use scores = Oracle.Score(rows.Keys, observer)
        near 1e-4 $"layer {layer}" (DecoderReference.importance case.Length reference.Layers[layer] |> Array.concat) (values scores))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40)>]
let ``a created module holds exactly the parameters that its settings count`` (case: Case) (rank: byte) =
    let settings = LookaheadSettings(Tokens = 1 + case.Length, Rank = int rank % 5)
    use lookahead = LookaheadModule.Create(config case.Shape, settings)
    lookahead.Parameters |> Seq.sumBy _.numel() = settings.ParameterCount(config case.Shape)

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40)>]
let ``an untrained module's deltas are zero: it starts as the base model`` (case: Case) =
    use _noGrad = torch.no_grad ()
    use decoder = decoder case.Shape

    let create rank =
        LookaheadModule.Create(decoder.Config, LookaheadSettings(Tokens = 3, Rank = rank), int64 case.Shape.Seed)

    use plain = create 0
    use paired = create 4
    let prompt, _ = tokens case

    let rowsOf observer =
        let found = Collections.Generic.List<float[]>()
        observe decoder observer prompt (fun _ _ rows -> found.AddRange [ values rows.Queries; values rows.Keys; values rows.Values ])
        Array.concat found
    // SwiGLU is fused without deltas and written out with them: equal up to rounding.
    near (if case.Shape.Precision = Brain then 0.06 else 1e-5) "rows" (rowsOf plain) (rowsOf paired)
