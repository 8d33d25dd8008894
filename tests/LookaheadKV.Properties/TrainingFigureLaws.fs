module LookaheadKV.Properties.TrainingFigureLaws

open System.Collections.Generic
open Xunit
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Metrics
open LookaheadKV.FSharp

/// Two layers of one head: recall 1/4 and 3/4; in the text 1/2, or 0.7 of its attention, and of nothing.
let private quality =
    let heads =
        [|
            [| HeadRecall(RecallSum(1., 4.), RecallSum(1., 2.), RecallSum(0.7, 1.)) |]
            [| HeadRecall(RecallSum(3., 4.), RecallSum(0., 0.), RecallSum(0., 0.)) |]
        |]

    let at4 (value: 'a) = Dictionary(dict [ 4, value ])
    let share value = at4 (System.Nullable value)
    PredictionQuality(1, 0.5, 0.5, share 0.5, share 0.5, share 0.7, at4 heads)

[<Fact>]
let ``Recall of the whole set and in the text have a row each, a cell a head`` () =
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
let ``Recall by steps has a curve and a level for every recall`` () =
    let svg =
        TrainingFigures.recallBySteps 4 [ 0L, quality; 10L, quality ] ("shipped", quality) |> Svg.ofChart

    for label in
        [
            ">whole set<"
            ">in the text<"
            ">attention there<"
            ">shipped<"
            ">steps of training<"
        ] do
        Assert.Contains(label, svg)

    let levels = svg.Split(">shipped<").Length - 1
    Assert.Equal(1, levels) // one place in the legend
