module LookaheadKV.Properties.TrainingFigureLaws

open System.Collections.Generic
open Xunit
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Metrics
open LookaheadKV.FSharp

/// Two layers of one head: recall 1/4 and 3/4, in the text 1/2 and of nothing.
let private quality =
    let heads =
        [|
            [| HeadRecall(RecallCount(1L, 4L), RecallCount(1L, 2L)) |]
            [| HeadRecall(RecallCount(3L, 4L), RecallCount(0L, 0L)) |]
        |]

    let at4 (value: 'a) = Dictionary(dict [ 4, value ])
    PredictionQuality(1, 0.5, 0.5, at4 (System.Nullable 0.5), at4 (System.Nullable 0.5), at4 heads)

[<Fact>]
let ``Recall of the whole set and in the text has a row each, a cell a head`` () =
    let svg = TrainingFigures.recallByHead 4 [ "before", quality ] |> Svg.ofChart

    for label in
        [
            ">before, whole set<"
            ">before, in the text<"
            ">1·0<"
            ">0.25<"
            ">0.75<"
            ">0.50<"
        ] do
        Assert.Contains(label, svg)

    // The oracle keeps nothing of the second head's text: all of it is found.
    Assert.Contains(">1.00<", svg)

[<Fact>]
let ``Recall by steps has a curve and a level for both recalls`` () =
    let svg =
        TrainingFigures.recallBySteps 4 [ 0L, quality; 10L, quality ] ("shipped", quality) |> Svg.ofChart

    for label in
        [
            ">whole set<"
            ">in the text<"
            ">whole set, shipped<"
            ">in the text, shipped<"
            ">steps of training<"
        ] do
        Assert.Contains(label, svg)
