module LookaheadKV.Properties.KeptFigureLaws

open System.Collections.Generic
open Xunit
open LookaheadKV
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Tasks
open LookaheadKV.FSharp

let private anatomy (kept: (string * int[][][]) list) =
    Anatomy(TaskSample("single", "", "", [||], [||]), [||], Array3D.zeroCreate 2 2 4, null, Dictionary(dict kept), "2")

let private oracle =
    "oracle", [| [| [| 0; 1 |]; [| 2; 3 |] |]; [| [| 0; 3 |]; [||] |] |]

let private snapkv =
    "snapkv", [| [| [| 0; 1 |]; [| 0; 3 |] |]; [| [| 1; 2 |]; [| 0 |] |] |]

[<Fact>]
let ``Recall is a number for every head, drawn in its cell`` () =
    Assert.Equal<float[]>([| [| 1.; 0.5 |]; [| 0.; 1. |] |], Keeping.recallByHead (snd oracle) (snd snapkv))
    let svg = KeptFigures.recall (anatomy [ oracle; snapkv ]) |> Svg.ofChart

    for number in [ ">1.00<"; ">0.50<"; ">0.00<"; ">1·1<"; ">snapkv<" ] do
        Assert.Contains(number, svg)

    Assert.DoesNotContain(">oracle<", svg)

[<Fact>]
let ``Recall without the oracle's set is refused`` () =
    let refusal =
        Assert.Throws<InputException>(fun () -> KeptFigures.recall (anatomy [ snapkv ]) |> ignore)

    Assert.Contains("oracle", refusal.Message)

[<Fact>]
let ``Counts are what each head keeps`` () =
    let three = "adakv", [| [| [| 0; 1; 2 |]; [| 3 |] |]; [| [| 0; 3 |]; [||] |] |]
    let svg = KeptFigures.counts (anatomy [ three ]) |> Svg.ofChart

    for number in [ 0..3 ] do
        Assert.Contains($">{number}</text>", svg)

[<Fact>]
let ``The largest values hold the most, and all of them hold all`` () =
    Assert.Equal<float>([| 0.5; 0.75; 1.; 1. |], Keeping.topShares [| 0.25f; 0f; 0.5f; 0.25f |])
    let importance = Array3D.init 2 2 8 (fun _ _ j -> float32 (j + 1))
    let svg = KeptFigures.mass "" importance |> Svg.ofChart
    Assert.Contains(">layer 1<", svg)
