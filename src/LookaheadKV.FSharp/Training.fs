namespace LookaheadKV.FSharp

open System
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Tasks
open LookaheadKV.Lookahead
open LookaheadKV.Training

/// How modules are trained on the synthetic tasks.
type TrainingSettings =
    {
        /// Shape of the modules.
        Module: LookaheadSettings
        /// Steps of Adam.
        Steps: int
        /// Prompts a step.
        Batch: int
        /// Upper bounds of a prompt's tokens, one of them drawn for each step; one that is there twice is drawn twice as often.
        Lengths: int list
        /// Peak learning rate.
        LearningRate: float
        /// Seed of the modules' start and of the prompts.
        Seed: int64
    }

/// Training of lookahead modules, in one call each.
module Training =

    /// The paper's modules, and a training that suits a few minutes.
    let settings =
        {
            Module = LookaheadSettings()
            Steps = 200
            Batch = 8
            Lengths = [ 512 ]
            LearningRate = 2e-3
            Seed = 0L
        }

    /// The training of the shipped modules: minutes on a GPU, hours on a CPU.
    let shipped =
        { settings with
            Steps = 1700
            Batch = 16
            Lengths = [ 256; 512; 1024; 2048; 2048; 2048 ]
            LearningRate = 1e-3
        }

    /// <summary>Modules at their random start; the caller disposes of them.</summary>
    let start settings (model: LoadedModel) =
        LookaheadModule.Create(model.Decoder.Config, settings.Module, settings.Seed, model.Decoder.Device)

    /// <summary>Trains modules in place on the training half of the tasks.</summary>
    /// <param name="report">Receives every step.</param>
    /// <param name="settings">Steps, prompts, rate; the modules' shape is their own.</param>
    /// <param name="modules">The modules; their parameters change.</param>
    /// <param name="model">The frozen model.</param>
    /// <returns>The curve: step and KL divergence.</returns>
    let run (report: LookaheadTrainingPoint -> unit) settings (modules: LookaheadModule) (model: LoadedModel) =
        let curve = Collections.Generic.List<struct (int64 * float)>()

        let progress =
            { new IProgress<LookaheadTrainingPoint> with
                member _.Report point =
                    curve.Add(struct (point.Step, point.Loss))
                    report point
            }

        // Seed 0 of the training half is what models are measured on while they train.
        let source =
            TaskExamples.Of(model.Encoder, settings.Batch, List.toArray settings.Lengths, settings.Seed + 1L)

        let options =
            LookaheadTrainerOptions(
                Steps = settings.Steps,
                LearningRate = settings.LearningRate,
                PassSize = settings.Batch,
                MaxResponse = 256
            )

        LookaheadTrainer.Run(model.Decoder, modules, source, options, progress) |> ignore
        List.ofSeq curve

    /// <summary>Prints one line every so many steps: step, loss, seconds.</summary>
    let everySteps (count: int64) (point: LookaheadTrainingPoint) =
        if point.Step % count = 0L || point.Step = 1L then
            printfn $"step %4d{point.Step}   KL %.3f{point.Loss}   %4.0f{point.Seconds} s"

    /// <summary>How well modules predict, on held-out prompts of all tasks in turn: the same prompts for all of them.</summary>
    /// <param name="counts">The C at which the share of the oracle's kept set is measured.</param>
    /// <param name="length">Upper bound of a prompt's tokens.</param>
    /// <param name="prompts">How many prompts.</param>
    /// <param name="modules">The modules.</param>
    /// <param name="model">The model.</param>
    let quality (counts: int seq) (length: int) (prompts: int) (modules: LookaheadModule seq) (model: LoadedModel) =
        let example index =
            let task = TaskNames.All[index % TaskNames.All.Count]
            let sample = model |> Model.sample task length 0L (int64 index)
            LookaheadExample(sample.PromptIds, sample.AnswerIds)

        PredictionQuality.Measure(model.Decoder, Seq.toArray modules, Array.init prompts example, GivenResponses(), Seq.toArray counts)
        |> List.ofSeq
