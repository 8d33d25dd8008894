namespace LookaheadKV.FSharp

open System
open System.IO
open LookaheadKV
open LookaheadKV.Budgeting
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Tasks
open LookaheadKV.Eviction
open LookaheadKV.Methods
open LookaheadKV.Generation
open LookaheadKV.Lookahead
open LookaheadKV.Checkpoints
open LookaheadKV.Models
open LookaheadKV.Runtime
open LookaheadKV.Text
open TorchSharp

/// A model with all that belongs to it.
type LoadedModel =
    {
        /// As it was asked for: "nano" or a folder.
        Name: string
        /// Its Hugging Face folder or GGUF file.
        Folder: string
        /// The decoder.
        Decoder: Decoder
        /// The tokenizer.
        Tokenizer: Tokenizer
        /// The tokenizer, quick on the texts of the task generators.
        Encoder: PieceEncoder
        /// Trained lookahead modules, where the folder holds some.
        Modules: LookaheadModule option
    }

    interface IDisposable with
        member this.Dispose() =
            this.Decoder.Dispose()
            this.Modules |> Option.iter _.Dispose()

/// What a model answered, on what cache.
type Answer =
    {
        /// The answer without control tokens.
        Text: string
        /// Its tokens, the end token included where it was reached.
        Ids: int[]
        /// What the prefill kept and cost.
        Report: PrefillReport
    }

/// Models in one call each.
module Model =

    /// <summary>
    /// Loads a model onto a device. On the CPU, libtorch then computes with as many threads as find a processor, unless the environment or
    /// <c>Threads.Use</c> has said how many.
    /// </summary>
    /// <param name="device">"cpu", "cuda", "cuda:1"; null is the GPU where there is one, else the CPU.</param>
    /// <param name="dtype">Float32 or BFloat16: weights, activations and cache.</param>
    /// <param name="name">"nano", the shipped model, a Hugging Face folder, a .gguf file, or a name of the hub in the local cache.</param>
    /// <exception cref="T:LookaheadKV.InputException">The folder or the device cannot be used.</exception>
    let loadOn (device: string | null) (dtype: torch.ScalarType) (name: string) =
        let folder = ModelFolders.Resolve name
        let device = Devices.Parse device
        Threads.UseDefault()
        let decoder = Decoder.Load(folder, device, dtype)
        let tokenizer = Tokenizer.Load folder
        let modules = ModelFolders.Lookahead(folder)

        {
            Name = name
            Folder = folder
            Decoder = decoder
            Tokenizer = tokenizer
            Encoder = PieceEncoder(fun text -> tokenizer.Encode text)
            Modules =
                if Directory.Exists modules then
                    Some(LookaheadFiles.Load(modules, decoder.Config, device))
                else
                    None
        }

    /// <summary>Loads a model in float32, onto the GPU where there is one.</summary>
    /// <param name="name">"nano", the shipped model, a Hugging Face folder, a .gguf file, or a name of the hub in the local cache.</param>
    let load name =
        loadOn null torch.ScalarType.Float32 name

    /// <summary>The model's trained lookahead modules.</summary>
    /// <exception cref="T:LookaheadKV.InputException">Its folder holds none.</exception>
    let modules model =
        match model.Modules with
        | Some modules -> modules
        | None ->
            raise (
                InputException
                    $"{model.Name} has no lookahead modules: there is no folder lookahead in {model.Folder}; train them with `lookahead train`."
            )

    /// <summary>A sample of a task, made for this model's tokenizer; the same for the same arguments.</summary>
    /// <param name="task">One of <c>TaskNames</c>.</param>
    /// <param name="length">The most tokens that the prompt may have.</param>
    /// <param name="seed">Names a set of samples.</param>
    /// <param name="index">The sample in that set.</param>
    /// <param name="model">The model.</param>
    let sample (task: string) (length: int) (seed: int64) (index: int64) model =
        TaskGenerators.Generate(task, length, seed, index, model.Encoder)

    let private answer (ids: int[]) policy limit model =
        use session = Session.Start(model.Decoder, ids, policy, limit)
        let answer = session.Generate limit |> Seq.toArray

        {
            Text = model.Tokenizer.Decode(answer, true)
            Ids = answer
            Report = session.Report
        }

    /// <summary>Prefills a prompt, evicts under a policy, and answers greedily, with at most 128 tokens.</summary>
    /// <param name="policy">What is kept.</param>
    /// <param name="prompt">The prompt's text; control tokens in it are recognised, and those that the tokenizer puts around a prompt are added.</param>
    /// <param name="model">The model.</param>
    let ask (policy: EvictionPolicy) (prompt: string) model =
        model |> answer (model.Tokenizer.EncodePrompt prompt) policy 128

    /// <summary>Looks into one prompt: importance, true and predicted, and what policies keep of it.</summary>
    /// <param name="policies">Policies whose kept sets are wanted.</param>
    /// <param name="keep">At which budget.</param>
    /// <param name="sample">The prompt.</param>
    /// <param name="model">The model.</param>
    let inspect (policies: EvictionPolicy seq) (keep: Keep) (sample: TaskSample) model =
        Inspection.Inspect(
            model.Decoder,
            model.Tokenizer,
            sample,
            Seq.toArray policies,
            (Policy.full |> Policy.budget keep).Budget |> nonNull
        )

    /// <summary>Runs policies at budgets on some prompts of each task and summarises the answers.</summary>
    /// <param name="policies">Policies without budgets; the full cache is always there.</param>
    /// <param name="budgets">Budgets in tokens.</param>
    /// <param name="tasks">Names of tasks.</param>
    /// <param name="samples">Prompts a task.</param>
    /// <param name="model">The model.</param>
    let compare (policies: EvictionPolicy seq) (budgets: int seq) (tasks: string seq) (samples: int) model =
        let options =
            CompareOptions(
                Policies = Seq.toArray policies,
                Budgets = [| for count in budgets -> Budget.Tokens count |],
                Tasks = Seq.toArray tasks,
                Samples = samples
            )

        ResultTable.Summarise(Comparison.Run(model.Decoder, model.Encoder, options))

    /// <summary>
    /// How near evicted caches stay to the full one on a prompt that has no right answer: a result a policy and budget, and the full cache's.
    /// </summary>
    /// <param name="policies">Policies without budgets; the full cache is always there.</param>
    /// <param name="budgets">Budgets in tokens.</param>
    /// <param name="tokens">Longest answer of the full cache that is read.</param>
    /// <param name="prompt">The prompt's text; control tokens in it are recognised, and those that the tokenizer puts around a prompt are added.</param>
    /// <param name="model">The model.</param>
    let fidelity (policies: EvictionPolicy seq) (budgets: int seq) (tokens: int) (prompt: string) model =
        let options =
            CompareOptions(
                Policies = Seq.toArray policies,
                Budgets = [| for count in budgets -> Budget.Tokens count |],
                FidelityTokens = tokens
            )

        Comparison.One(model.Decoder, OpenPrompt("prompt", model.Tokenizer.EncodePrompt prompt, tokens), 0, options)
        |> List.ofSeq
