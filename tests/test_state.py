"No public function leaves anything changed that belongs to others: a model's mode and numbers, random generators, settings of the process."

import importlib, os, pkgutil, random, re, signal, subprocess, sys, threading, warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from kae_nb.layers import RECORDS

tests = Path(__file__).resolve().parent


def process_state():
    "All that belongs to the process, by name."
    umask = os.umask(0)
    os.umask(umask)
    return {
        'torch': torch.get_rng_state().numpy().tobytes(),
        'numpy': repr(np.random.get_state()),
        'random': random.getstate(),
        'threads': (torch.get_num_threads(), torch.get_num_interop_threads()),
        'precision': (torch.get_default_dtype(), torch.get_float32_matmul_precision()),
        'gradients': (torch.is_grad_enabled(), torch.is_autocast_enabled('cpu')),
        'deterministic': torch.are_deterministic_algorithms_enabled(),
        'device': torch.get_default_device(),
        'denormals': (torch.tensor(1e-30) * torch.tensor(1e-10)).item(),
        'numpy errors': np.geterr(),
        'warnings': (list(warnings.filters), warnings.showwarning),
        'signals': {each: signal.getsignal(each) for each in signal.valid_signals()},
        'umask': umask,
        'folder': os.getcwd(),
        'environment': dict(os.environ),
        'streams': (sys.stdout, sys.stderr, sys.argv[:], sys.excepthook, sys.getrecursionlimit()),
        'style': dict(plt.rcParams),
        'figures': plt.get_fignums(),
        'other threads': sorted(t.name for t in threading.enumerate() if not t.daemon),
    }


def model_state(model):
    "Modes, numbers and gradients of a model."
    return [
        (part.training, len(part._forward_hooks), len(part._forward_pre_hooks))
        for part in model.modules()
    ], [
        (p.requires_grad, p.grad is None, p.dtype, p.detach().numpy().tobytes())
        for p in model.parameters()
    ]


def differences(before, after):
    return {name for name in before if before[name] != after[name]}


# A call of each public function: what its line calls first is the function that it is for.
CALLS = '''
anomaly.default_components(x.numpy(), True)
anomaly.conformal_threshold(y.numpy(), 0.1)
anomaly.KAEDetector().fit(x.numpy()).explain(x.numpy())
anomaly.KAEDetector.load(detector_file)
autoencoder.AutoEncoder(64, 4)
autoencoder.AutoEncoder.load(saved)
autoencoder.save_module(layer, 'own.safetensors', in_features=3, out_features=2)
raises(ValueError, lambda: autoencoder.load_module(saved, torch.nn.Linear))
checks.check_protocol('paper')
autoencoder.check_widths((8, 4))
autoencoder.placement({'order': 2})
autoencoder.AutoEncoder.choose_output(other, x, False)
autoencoder.AutoEncoder.learn_means(other, x)
coding.encode(model, x)
coding.decode(model, z)
coding.reconstruct(model, x)
coding.reconstruction_errors(model, x, clip=True)
coding.held_errors(model, x)
coding.mean_error(torch.zeros(300), 'paper')
benchmarks.bench_model('kae3')
benchmarks.mlp_of_size(64, 4, 500)
benchmarks.count_parameters(model)
benchmarks.PlainWavelet(4, 2)
benchmarks.step(layer, torch.zeros(5, 3, requires_grad=True), torch.ones(5, 2))
benchmarks.compare_speed({'a': lambda: (1.,)}, seconds=0)
benchmarks.product_rate(n=8)
machine.peak_memory(lambda: None, cpu)
benchmarks.parse_size('8x8x8')
benchmarks.geometric_mean([1, 2])
benchmarks.check_sizes(['kae1'], [(8, 8, 8)])
benchmarks.bench_layers(['kae1'], [(8, 8, 8)], None, 0)
benchmarks.summary(benchmarks.bench_layers(['kae1'], [(8, 8, 8)], None, 0))
benchmarks.bench_training(digits, ['ae'], 1, 2, [], progress=False)
benchmarks.parse_names('a,b', 'abc', 'letters')
benchmarks.kae_bench('layers', layers='kae1', sizes='8x8x8', memory_size='none', seconds=0)
capacity.capacity_models(64, 4)
capacity.capacity_table(frame, 'digits', 4)
capacity.plot_capacity(frame, 'digits', 4)
within(checkpoints.interruption())
checkpoints.Checkpoints('training', {}, False)
checkpoints.differences({'a': 1}, {'a': 2})
within(checkpoints.checkpoints_in('training', {}, False))
distributed.world_size()
distributed.rank()
distributed.is_joined_by()
within(distributed.joined())
distributed.own_device('cpu')
distributed.is_restart()
distributed.bounds(5)
distributed.share_of(5)
distributed.Share(x, 5)
distributed.sum_of_all(x)
distributed.rows_of_all(x, len(x))
distributed.averaged(model, lambda rows, n=None: model(rows).mean(), x)
distributed.check_shareable(model)
distributed.agreed(True)
distributed.from_first(lambda: 1)
distributed.gathered(1)
distributed.same_everywhere(model)
distributed.check_alike({})
within(distributed.first_before_others())
distributed.Elsewhere(None)
distributed.ProcessLost('why')
within(distributed.shared_checkpoints('training', {}, False))
classification.nearest_labels(z, y, z, 3)
classification.nearest_neighbor_accuracy(model, digits)
classification.confusion(model, digits)
classification.plot_confusion(classification.confusion(model, digits), digits.classes)
classification.probe_accuracy(model, digits, 'mlp')
classification.label_curve(model, digits, [20], seeds=[0])
classification.evaluate_classification(model, digits, ['logistic', 'svm'])
decoded.row_sums(np.zeros((2, 3), np.uint8))
decoded.decode_images(list(Path(pictures).rglob('*.png')), 'bytes', progress=False)
decoded.complete_chunk([], 0, open('pixels', 'w+b'), open('sums', 'w+b'), (8, 8))
demo.default_epochs(100)
demo.advice(of_demo[0])
autoencoder.check_model_size(64, 4)
console.finished(history)
demo.demo(digits, 2, 1, progress=False)
demo.plot_codes(plt.gca(), z[:, :2].numpy(), y.numpy(), digits.classes, 'a')
demo.plot_demo(digits, *of_demo)
console.SafeStream(sys.stdout)
console.say('a')
within(console.noted_interrupt())
console.one_line(ValueError('a'))
within(console.one_line_errors('kae_demo'))
console.option_value('bias', 'no', [bool])
console.option_types(training.fit)
console.check_options({'size': 8}, data.load_dataset)
console.parse_options('size=8', data.load_dataset)
console.read_arguments(demo.kae_demo, ['--epochs', '3'])
console.in_terminal(demo.kae_demo, '--epochs', '0')
console.head_of('kae_demo')
machine.check_device('cpu')
console.check_folder('.')
console.check_new_folder('new')
console.check_figure('a.png')
demo.kae_demo(epochs=1, latent_dim=2, data_options='subset=64', save='models')
demo.show_table(*of_demo[::2])
convergence.convergence_jobs({'digits': '0'})
convergence.plot_convergence(frame.assign(lr=1e-4), 1)
data.rows_and_shape('x', x)
data.usual_range(0, 1)
data.Dataset(x, y, x, y, (8, 8), digits.classes, 'a')
data.Dataset.from_arrays(x, y)
data.Dataset.subset(digits, 20, 3)
list(data.Dataset.batches(digits, 16, True, generator))
list(data.Dataset.stream('digits', shuffle=True, generator=generator))
data.Dataset.show(digits)
data.paper_value((8, 8))
data.tile(x[:4].view(2, 2, 64), (8, 8))
list(data.Batches(10, 3, True, generator))
data.load_dataset('folder:' + pictures, progress=False)
data.ImageFiles(list(Path(pictures).rglob('*.png')), y, None, True, 'original', False)[torch.arange(2)]
data.ImageFiles(list(Path(pictures).rglob('*.png')), y, None, True, 'original', False).decoded(False)
denoising.gaussian_noise(x, generator)
denoising.salt_pepper_noise(x, generator)
denoising.add_noise(x, 'salt_pepper')
denoising.denoising_mse(model, x)
denoising.evaluate_denoising(model, x)
denoising.MedianFilter((8, 8)).transform(x.numpy())
denoising.NoisyInput(model).encode(x)
denoising.show_denoising({'a': model}, x, (8, 8))
ensemble.WideLayer([layer, layer])
ensemble.stack_tensors([layer, layer])
ensemble.EachLayer([layer, layer])(torch.zeros(5, 3))
ensemble.is_wide(layer)
ensemble.attributes_of(model)
ensemble.check_alike([model, other])
ensemble.stack([model, other])
ensemble.unstack(ensemble.stack([model, other]), [model, other])
ensemble.grouped_optimizer('adam', [torch.zeros(2, 3, requires_grad=True)], [[1e-3], [1e-3]], [0., 0.])
ensemble.SigmoidLoss.apply(torch.zeros(2, 5, 3), torch.zeros(2, 4, 3), torch.zeros(2, 4), torch.zeros(5, 4))
ensemble.stacked_losses(ensemble.stack([model, other]), x)
ensemble.check_stack([model, other], x)
ensemble.memory_of(model, x)
ensemble.Member(0, 1e-3, 0., model, history)
ensemble.fit_many(lambda: autoencoder.AutoEncoder(64, 4), digits, 2, 1, progress=False)
estimator.robust_scale(x.numpy())
estimator.of_one_kind(x.numpy())
estimator.column_ends(x.numpy())
estimator.auto_or(lambda name, value: value, 'a', 'auto', 3)
estimator.seed_of(None)
estimator.default_widths(64)
estimator.default_batch(100)
estimator.default_epochs(100, 32)
estimator.KAE(2, max_iter=2).fit(x.numpy()).impute(x.numpy())
estimator.KAE.load(estimator_file)
estimator.check_rows(kae, x.numpy())
estimator.write_estimator(kae, 'b.safetensors')
estimator.read_estimator(type(kae), estimator_file)
evaluation.evaluate(model, digits, ks=[1])
export.export(model, 'a.pt2')
export.check_export(torch.nn.Identity(), torch.nn.Identity(), 3, x)
evaluation.pictures({'a': model}, digits)
evaluation.as_text({'a': {'psnr': 3.}})
evaluation.report('a', {}, '', {})
evaluation.check_report('a.html')
evaluation.kae_evaluate(saved, data_options='subset=64')
experiments.checksum(digits)
experiments.grid({'digits': '0'})
store.digest([1])
store.begun_jobs(Path('nowhere'))
store.empty_folder(Path(emptied))
store.job_key(jobs[0])
experiments.measure(model, digits)
store.Store('store').put(records[key])
store.as_frame(records)
store.pack(records, 'results.csv.gz')
store.unpack(results)
store.restore(frame, store.Store('store'))
experiments.run_group(jobs[:1], store.Store('store'), threads=1)
experiments.check_engine('here')
within(experiments.running_engine('loky', workers=1))
experiments.effort(jobs[0])
experiments.run_grid(jobs, store.Store('store'), threads=1, progress=False)
files.write_safely('a', lambda path: path.write_bytes(b'a'))
files.is_over('elsewhere', 1)
files.remove_leftovers('.')
files.parse_json('[]')
files.write_tensors('a', {'x': x}, {})
files.read_tensors(saved, 'kae_nb')
files.write_json('a', {'b': 1})
files.read_json(run + '/run.json')
files.files_digest([Path(saved)])
files.cached([Path('folder/a')], 'source', lambda: ({'x': x}, {}))
within(files.locked('.'))
fourier.harmonics(x, 3)
history_.History()
history_.mean_image_error(x, x)
history_.pca_error(x, x, 4)
history_.references(model, x, x)
history_.problem_of([0.1], 0.2)
images.check_image_memory('a', 1)
raises(ValueError, lambda: images.read_idx(saved))
raises(ValueError, lambda: images.read_pickle(saved))
raises(ValueError, lambda: images.read_cifar(saved))
images.to_gray(np.zeros((2, 8, 8, 3), np.uint8))
images.check_image_size(8)
images.resize(np.zeros((2, 8, 8), np.uint8), 12)
images.as_shown(Image.open(picture))
images.read_image(picture)
images.check_brightness('a', np.full((2, 4), 99, np.uint8))
images.as_text('a')
images.file_id(picture)
images.list_folders(pictures)
images.list_images(pictures)
images.list_pictures(pictures)
images.describe({'a': 'b'})
images.UnreadableImages({'a': 'b'})
images.read_images(list(Path(pictures).rglob('*.png')))
checks.suggestion('a', ['ab'])
checks.check_size('a', 3)
checks.check_flag('a', True)
machine.check_device('cpu')
machine.check_dtype(torch.float64)
machine.memory_of_device(cpu)
machine.check_memory(3, 'a')
layer_.tracing()
layer_.going_forward()
layer_.expansion(x, lambda x: 2*x, lambda x, features, g: g)
layer_.ForwardExpansion.apply(x, lambda x: 2*x, lambda x, features, g: g)
layer_.check_input(torch.zeros(5, 3), 3, torch.float32)
layer_.BasisLayer(3, 2, 4)
within(machine.kept_generators())
within(layer_.evaluation_mode(model))
layer_.check_layer(lambda **options: polynomial.PolynomialLayer(3, 2, **options), backend=None)
layer_.Expansion.apply(x, lambda x: 2*x, lambda x, features, g: g)
layer_.LayerRecord('a', print, 'A')
layer_.records()
checks.lookup('ab', 'a', 'letter')
layers.find_class('torch.nn:Linear')
layers.find_layer('kae_nb.polynomial:PolynomialLayer')
layers.record_of('kae')
layers.find_model('kae3')
within(layers.current_folder_importable())
layers.check_layer_options('kae', polynomial.PolynomialLayer, {'order': 2})
layers.make_layer('kan', 3, 2)
layers.import_state(torch.nn.Linear(3, 2), torch.nn.Linear(3, 2).state_dict())
layers.edge_values(layer, torch.zeros(5, 3))
layers.plot_activations(layer, torch.rand(5, 3, generator=generator))
losses.corrupt(x, 'salt_pepper')
losses.deformed(x, (8, 8))
losses.squared_distances(x)
losses.neighbor_loss(x, z)
residual.hidden_layer('silu', 3, 2)
residual.straight_through(x, 0, 1)
residual.ResidualAutoEncoder(64, 4, (8,)).start_from_pca(x)
residual.load_model(saved)
residual.refined_latents(model, x)
unit.UnitPolynomialLayer(3, 2)
testing.remembered('rows.csv', {'a': 1}, lambda: {'b': 2.})
manifold.monomials(3, 2)
manifold.places(np.array([0, 1]), 3)
manifold.features(torch.zeros(3, 5), 2)
manifold.ridge_step(torch.eye(3), torch.ones(3, 2), torch.zeros(3, 2), 0.1)
manifold.Polynomials(3, 2).curvature(torch.eye(10))
manifold.damped_steps(torch.ones(6, 5), torch.ones(3, 5), torch.ones(5))
manifold.cut(x, (0, 1))
manifold.LatentSearch(torch.ones(15, 64), 4, 2, limits=(-1., 1.))(x, z.T)
manifold.fit_decoder(x, x.mean(0), z.T, 2, torch.zeros(15, 64), torch.zeros(15, 64), 0.1)
manifold.PolynomialManifold(4).fit(x).save('a')
pictures_.picture_record(model, 8)
pictures_.check_pictures(pictures_.picture_record(model, 8))
pictures_.read_rows([picture], pictures_.picture_record(model, 8))
pictures_.as_pictures(x, pictures_.picture_record(model, 8))
pictures_.Source(['a'], [None])
pictures_.open_source(pictures, pictures_.picture_record(model, 8))
pictures_.find_pictures([picture])
pictures_.Opened(model, {}, '')
pictures_.open_model(saved, 8)
latents.check_writable('a.csv', ['.csv'])
latents.encode_files([picture], model, pictures_.picture_record(model, 8))
latents.encode_in_parts([Path(picture)], pictures_.Opened(model, pictures_.picture_record(model, 8), ''), 'parts', False)
latents.warn_unreadable({}, 1)
latents.kae_encode(saved, pictures, 'a.csv', size='8')
search.place_for(pictures, '')
search.open_collection(pictures, pictures_.open_model(saved, 8), progress=False)
search.thumbnail(picture)
search.contact_sheet([[(picture, 'a')]])
search.neighbors_of([Path(picture)], z[:1], pictures, retrieval.Index(z, names=list(map(str, range(60)))), 3)
search.kae_search(saved, pictures, [picture], 2, size='8')
cleaning.denoise_files({Path(picture): Path('a.png')}, model, pictures_.picture_record(model, 8))
cleaning.kae_denoise(saved, [picture], size='8')
maps.place_codes(z)
maps.make_sheets([])
maps.map_page('a', 'b', z[:, :2].numpy(), list('ab') * 30, [None] * 60, [])
maps.kae_map(saved, pictures, size='8')
rates.reach(layer, torch.zeros(5, 3))
rates.default_lr(model)
rates.layer_rates(model, x, 1e-3)
reconstruction.as_images(x, model)
reconstruction.codes_of(model, x)
reconstruction.image_scores(model, x, reconstruction.squared_errors)
reconstruction.value_range(x)
reconstruction.cuts(x, False)
reconstruction.squared_errors(x, x)
reconstruction.reconstruction_mse(model, x)
reconstruction.psnr(x, x)
reconstruction.check_shape((8, 8))
reconstruction.ssim(x, x, (8, 8))
reconstruction.evaluate_reconstruction(model, x, (8, 8))
reconstruction.plain('$')
within(reconstruction.closed_figures())
reconstruction.show_rows({'a': x[:3]}, (8, 8))
reconstruction.check_models({'a': model})
reconstruction.show_reconstructions({'a': model}, x, (8, 8))
reconstruction.show_extremes(model, x, (8, 8))
reconstruction.pixel_errors(model, x)
reconstruction.show_pixel_errors({'a': model}, x, (8, 8))
reconstruction.feature_errors(model, x)
reconstruction.show_feature_errors({'a': model}, x)
reconstruction.show_test_rows({'a': model}, digits)
reproduce.paper_jobs({'digits': digits}, [4])
reproduce.write_report(frame, 'report', 1)
reproduce.kae_reproduce('digits', '4', 'AE', 1, 1, '1e-3', '1e-4', no_figures=True)
reproduce.split('a,b', 'letters')
reproduce.whole_number('3', 'a')
reproduce.check_place('out', Path('new'))
retrieval.Index(z.numpy(), kind='hnsw').search(z.numpy(), 3)
retrieval.Index.load(index)
retrieval.neighbor_recall(x, z, 10)
retrieval.recall_curve(model, x, 10)
retrieval.recall_at_k(model, x, 5)
retrieval.paper_sample(y)
retrieval.check_ks([1])
retrieval.evaluate_retrieval(model, x, [1])
retrieval.plot_recall({'a': [0.1, 0.2]})
retrieval.show_neighbors({'a': model}, x, (8, 8))
runs.read_settings(run + '/run.json')
runs.complete_run({})
runs.run_settings()
runs.make_model(runs.complete_run({}), 64)
runs.plain_errors(digits, 4)
runs.plot_run(model, history, digits)
runs.write_run(Path('.'), model, history, digits, {})
runs.read_run(Path(run), files.read_json(run + '/run.json')['settings'], files.read_json(run + '/run.json')['data'])
runs.train_run('run', epochs=1, progress=False)
runs.kae_train(epochs=1)
within(runs.one_of_several('cpu', 300.0))
sources.as_path('a', '.')
sources.data_root()
sources.find_files('mnist')
sources.is_available('mnist')
sources.stratified_sample(y, 10)
sources.hold_out(y)
sources.to_rows(np.zeros((2, 8, 8), np.uint8))
sources.image_shape_of(np.zeros((2, 8, 8), np.uint8))
sources.cache_files(None, 'a', {})
raises(FileNotFoundError, lambda: sources.read_named('mnist', '.', download=False))
sources.find_parts(pictures)
sources.list_parts(pictures)
sources.check_readable({}, 3, True)
sources.read_folder(pictures, progress=False)
sources.read_arrays(arrays)
spline.silu_slope(torch.zeros(3), torch.zeros(3))
spline.cut_off_powers(torch.zeros(5), 3, 3)
spline.cox_de_boor(torch.zeros(5, 1), torch.arange(8.)[None], 3)
spline.check_range('a', (0, 1))
spline.BSplineLayer(3, 2).regularization_loss()
spline.BSplineLayer(3, 2).update_grid(torch.rand(50, 3, generator=generator))
testing.golden('none')
testing.write_squares('squares', 200)
testing.refused(lambda: (2, '', 'no' + chr(10)), 'no', pictures)
testing.relative_error(x, x)
within(testing.inside('.'))
streams.rows_in(x)
streams.as_numbers(x, x)
list(streams.ahead(iter([1, 2])))
next(streams.image_orders(10, 0, True))
next(streams.block_orders(10, 0, 2, 4))
streams.held_places(10, 0.1, 0)
streams.source_of(x.numpy())
streams.sample_of(*[streams.source_of(data.Dataset.stream('digits', part)) for part in ('train', 'test')])
next(streams.RowSource(x.numpy()).batches(x))
streams.RowSource(x.numpy()).some(x)
streams.RowSource(x.numpy()).split(0.1, 0)
next(streams.BatchSource([x]).batches(x))
streams.BatchSource([x]).some(x)
tables.published()
tables.title_of('mnist')
tables.sets_in_order(['mnist'])
tables.panels([('mnist', 16)], 'recall', (3, 3))
tables.add_legend({'a': plt.gca()})
tables.styled(frame[['model']].set_axis([('a', str(k)) for k in range(len(frame))]).astype(str), [], 'a')
tables.summarize(frame, 'recall_at_10')
tables.compare(frame, 'recall_at_10')
tables.table(frame, 'recall_at_10')
tables.agreement(frame)
tables.in_order(['AE'])
tables.plot_recall_curves(frame)
theorem.two_layer([[np.sin]], [np.cos], np.zeros((3, 1)))
theorem.cubes_used(np.zeros((3, 2)), (2,))
theorem.draw_graph([[np.sin]], [np.cos])
theorem.beta(3)
theorem.check_base(2, 10)
theorem.float_digits()
theorem.check_levels(np.zeros(3), None, 2, 10)
theorem.inner(np.linspace(0, 1, 5))
theorem.separating_sum(np.zeros((3, 2)), 1)
theorem.to_units(np.zeros(3))
theorem.from_units(theorem.to_units(np.zeros(3)))
theorem.cubes(theorem.to_units(np.zeros((3, 2))), 0, 2)
theorem.outer(lambda x: x.sum(-1))
theorem.superposition(lambda x: x.sum(-1), np.full((3, 2), 0.3), (2, 3))
machine.drop_denormals(torch.optim.Adam(model.parameters()))
within(machine.kept_memory())
training.one_cycle(0.5)
checks.check_rate('lr', 1e-3)
training.complete_settings(model)
training.State({}, None, 3)
training.check_finite(torch.zeros(3), 'epoch 1', 0.1)
training.tensors_of(training_state())
training.restore_tensors({'model.w': torch.zeros(()), 'random.cpu': torch.get_rng_state()}, training_state())
training.take_step(x, lambda batch: (batch.mean() - weight)**2, torch.optim.SGD([dict(params=[weight], initial_lr=0.1)], 0.1), 1.)
training.images_for(model, digits)
training.total_loss(model, x, training.complete_settings(model, latent_noise=0.1, neighbors=0.1))
training.check_loss(model, x, training.complete_settings(model))
tabular.from_frame(frame[['lr', 'epochs']])
tabular.read_table(table)
training.prepare(model, x)
training.settle(model, {}, x)
training.hold_out(x, 0.1, 0)
training.loss_function(model, training.complete_settings(model))(x)
training.move_to(model)
training.check_model(model)
training.TrainingData(x, x, 3, 1, None, None, x, True, {}, dict)
training.check_rows(model, x, 'digits')
training.judges_of(x)
training.data_in_memory(digits, x, training.complete_settings(model))
training.data_of_source(streams.source_of(x.numpy()), x, training.complete_settings(model))
training.training_data(model, digits, training.complete_settings(model), None)
training.run_record(model, training.complete_settings(model))
training.fit(other, x.numpy(), 1, validation=[x], progress=False)
training.random_states(cpu)
training.pixel_loss(x, x, 'mse')
next(training.batches_in_memory(x, [None], 10))
training.keep_best({}, {'x': x}, [0.1])
training.train(training_state(), lambda done: iter([x, x, x]), len(x), lambda batch: (batch.mean() - weight)**2, dict(test_loss=lambda: 0.1), training.complete_settings(model, 1), progress=False)
training.check_trainable(model, digits)
within(machine.few_threads(1))
machine.check_compiler('cuda')
machine.compile_anew(lambda x: x)
machine.hardware()
files.fingerprint(x)
training.make_optimizer(model, training.complete_settings(model), [1e-3]*len(list(model.parameters())))
training.highest_rates(model, x, training.complete_settings(model))
training.fit(other, digits, 1, progress=False)
training.fit(other, digits, 2, checkpoint='training', checkpoint_seconds=0, restore_best=True, progress=False)
wavelet.scaled_product(x, x, 2)
wavelet.gaussian_exponent(x)
wavelet.exponential(x)
wavelet.mexican_hat(x, True)
wavelet.morlet(x, True)
wavelet.dog(x, True)
wavelet.meyer(x, True)
wavelet.shannon(x, True)
wavelet.piece_size(3, 4, 5, cpu)
wavelet.scratch(torch.zeros(2, 100), (3, 4))
wavelet.wavelet_sum(*wavelet_input, 'dog')
wavelet.wavelet_sum_backward(torch.zeros(5, 2), *wavelet_input, 'dog')
wavelet.WaveletSum.apply(*wavelet_input, 'dog')
wavelet.ForwardWaveletSum.apply(*wavelet_input, 'dog')
wavelet.WaveletSumBackward.apply(torch.zeros(5, 2), *wavelet_input, 'dog')
'''.strip().splitlines()
# kinds of layers, by the record of each
OURS = [record for record in RECORDS.values() if record.make.__module__.startswith('kae_nb.')]


def public_name(thing):
    return f'{thing.__module__.removeprefix("kae_nb.")}.{thing.__name__}'


CALLS += [f'{public_name(record.make)}(3, 2)' for record in OURS]

NOT_CALLED = {
    'benchmarks.own_process': 'starts a process of its own, in which this one cannot change',
    'benchmarks.extra_memory': 'the same',
    'benchmarks.training_memory': 'the same',
    'testing.run_command': 'the same',
    'testing.run_together': 'the same',
    'console.main': 'is the whole process of a command',
    'wavelet.one_by_one': 'is called while the module is imported',
    **{
        public_name(record.from_theirs): "gives tensors of a dict other names"
        for record in OURS
        if record.from_theirs
    },
}
DRAWS = 'draws first parameters, as every module of PyTorch does'
SHOWS = 'gives back a figure of its own, or the axes of one'
MAY_CHANGE = {  # function: what it is for it to change, and why
    **dict.fromkeys(
        [
            'autoencoder.AutoEncoder',
            'benchmarks.mlp_of_size',
            'benchmarks.PlainWavelet',
            'layer.BasisLayer',
            'layers.make_layer',
            'layers.import_state',
            'losses.corrupt',
            'losses.deformed',
            'runs.make_model',
            'residual.hidden_layer',
            'residual.ResidualAutoEncoder',
            'training.total_loss',  # noise on latents
            *(public_name(record.make) for record in OURS),
        ],
        ({'torch'}, DRAWS),
    ),
    **dict.fromkeys(
        [
            'capacity.plot_capacity',
            'classification.plot_confusion',
            'demo.plot_codes',
            'demo.plot_demo',
            'convergence.plot_convergence',
            'data.Dataset',
            'denoising.show_denoising',
            'layers.plot_activations',
            'reconstruction.show_rows',
            'reconstruction.show_reconstructions',
            'reconstruction.show_extremes',
            'reconstruction.show_pixel_errors',
            'reconstruction.show_feature_errors',
            'reconstruction.show_test_rows',
            'retrieval.plot_recall',
            'retrieval.show_neighbors',
            'runs.plot_run',
            'tables.add_legend',
            'tables.panels',
            'tables.plot_recall_curves',
            'theorem.draw_graph',
        ],
        ({'figures'}, SHOWS),
    ),
    'benchmarks.step': ({'layer'}, 'leaves gradients, as every backward pass does'),
    'training.fit': (
        {'other'},
        'trains a model, and gives it back ready to be used, in evaluation mode',
    ),
}

# modules that are called as an object in the lines above
OTHER_NAMES = {'history_': 'history', 'layer_': 'layer', 'pictures_': 'pictures'}


def modules():
    import kae_nb

    return {
        m.name: importlib.import_module(f'kae_nb.{m.name}')
        for m in pkgutil.iter_modules(kae_nb.__path__)
        if not m.name.startswith('_')
    }


def name_of(line):
    "The public function that a line is for."
    module, name = re.search(
        r'\b([a-z]+_?)\.(\w+)[(.]', line.removeprefix('list(').removeprefix('next(')
    ).groups()
    return f'{OTHER_NAMES.get(module, module)}.{name}'


def test_no_function_is_forgotten():
    "Each public function is called below, or has a reason why it is not."
    public = {
        f'{name}.{each}'
        for name, module in modules().items()
        for each in getattr(module, '__all__', ())
        if callable(getattr(module, each))
    }
    called = {name_of(line) for line in CALLS}
    assert public - called - set(NOT_CALLED) == set(), 'add a call of these functions to CALLS'
    assert (
        called - public == set()
        and set(NOT_CALLED) <= public - called
        and set(MAY_CHANGE) <= called
    )


@pytest.fixture(scope='module')
def things(tmp_path_factory):
    "What the calls work on: small, and the same for all."
    from dataclasses import replace
    from PIL import Image
    from kae_nb.autoencoder import AutoEncoder
    from kae_nb.anomaly import KAEDetector
    from kae_nb.demo import demo
    from kae_nb.estimator import KAE
    from kae_nb.data import load_dataset
    from kae_nb.experiments import checksum, grid, run_grid
    from kae_nb.store import Store, pack, unpack
    from kae_nb.history import History
    from kae_nb.retrieval import Index
    from kae_nb.runs import train_run

    folder = tmp_path_factory.mktemp('things')
    whole = load_dataset('digits')
    digits = replace(whole.subset(80), x_test=whole.x_test[:60], y_test=whole.y_test[:60])
    AutoEncoder(64, 4, order=1).save(folder / 'model.safetensors')
    (folder / 'emptied').mkdir()
    Index(digits.x_test).save(folder / 'a.index')
    np.savez(folder / 'arrays.npz', x_train=digits.x_train.numpy())
    np.save(folder / 'table.npy', digits.x_train.numpy())
    kae = KAE(2, model='manifold').fit(digits.x_train)
    kae.save(folder / 'kae.safetensors')
    KAEDetector().fit(digits.x_train).save(folder / 'detector.safetensors')
    for k, row in enumerate(digits.x_train[:6]):
        file = folder / f'pictures/{"ab"[k % 2]}/{k}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((row.view(8, 8) * 255).byte().numpy()).save(file)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        train_run(folder / 'run', epochs=1, latent_dim=2, progress=False)
        of_demo = demo(digits, 2, 1, progress=False)
    models = {
        'AE': dict(layer='linear'),
        'KAE (p=3)': dict(layer='kae', order=3),
        'AE-S': dict(layer='linear'),
        'AE-L': dict(layer='linear'),
    }
    jobs = grid({'digits': checksum(whole)}, [4], models, [1e-3], [1e-4], [0], 1)
    run_grid(jobs, Store(folder / 'store'), progress=False)
    records = Store(folder / 'store').read()
    pack(records, folder / 'results.csv.gz')
    paths = dict(
        saved='model.safetensors',
        index='a.index',
        arrays='arrays.npz',
        table='table.npy',
        estimator_file='kae.safetensors',
        detector_file='detector.safetensors',
        pictures='pictures',
        picture='pictures/a/0.png',
        run='run',
        emptied='emptied',
        results='results.csv.gz',
    )
    return dict(
        {name: str(folder / path) for name, path in paths.items()},
        digits=digits,
        kae=kae,
        of_demo=of_demo,
        x=digits.x_test,
        y=digits.y_test,
        jobs=jobs,
        records=records,
        key=next(iter(records)),
        frame=unpack(folder / 'results.csv.gz'),
        history=History([0.2], [0.1], [0.01]),
        cpu=torch.device('cpu'),
        Image=Image,
        wavelet_input=(torch.zeros(5, 3), torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(2, 3)),
    )


def within(block):
    with block:
        pass


def training_state():
    "A training of one number, at its start."
    weight = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.SGD([dict(params=[weight], initial_lr=0.1)], 0.1)
    return importlib.import_module('kae_nb.training').State({'w': weight}, optimizer, 3)


@pytest.fixture
def unusual(tmp_path, monkeypatch):
    "A process that is not as Python starts it, so that nothing is as it was by chance."
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('KAE_NB_DATA', str(tmp_path / 'data'))
    # a process takes seconds, and cannot change this one
    monkeypatch.setattr('kae_nb.benchmarks.own_process', lambda expression: None)
    threads, umask, handler = (
        torch.get_num_threads(),
        os.umask(0o027),
        signal.signal(signal.SIGINT, lambda *_: None),
    )
    torch.set_num_threads(2)
    torch.manual_seed(3)
    np.random.seed(4)
    random.seed(5)
    with (
        warnings.catch_warnings(),
        plt.rc_context({'lines.linewidth': 3.3, 'image.cmap': 'magma'}),
    ):
        warnings.simplefilter('ignore')
        warnings.filterwarnings('ignore', message='a filter of the user')
        plt.figure()
        yield
        plt.close('all')
    torch.set_num_threads(threads)
    os.umask(umask)
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize('line', CALLS)
def test_leaves_all_as_it_was(line, things, unusual):
    "Two models, one part of each in evaluation mode and a layer, and the process: all as before the call."
    from kae_nb.autoencoder import AutoEncoder
    from kae_nb.polynomial import PolynomialLayer

    models = dict(
        model=AutoEncoder(64, 4, [8], order=1),
        other=AutoEncoder(64, 4, [8], order=1),
        layer=PolynomialLayer(3, 2),
    )
    for name in ('model', 'other'):
        models[name].encoder[0].eval()
    named = {**modules(), **{other: modules()[name] for other, name in OTHER_NAMES.items()}}
    known = {
        **named,
        **things,
        **models,
        'torch': torch,
        'np': np,
        'plt': plt,
        'sys': sys,
        'Path': Path,
        'within': within,
        'training_state': training_state,
        'raises': pytest.raises,
        'generator': torch.Generator().manual_seed(0),
        'weight': torch.zeros((), requires_grad=True),
        'z': torch.rand(60, 4),
    }

    def state():
        return process_state() | {name: model_state(model) for name, model in models.items()}

    before = state()
    assert before['denormals'] != 0
    eval(line, known)
    changed = differences(before, state())
    may, why = MAY_CHANGE.get(name_of(line), (set(), ''))
    assert changed <= may, f'{line} changes {", ".join(sorted(changed - may))}'


IMPORTS = '''
import sys
import faiss, fastcore.script, filelock, fsspec, joblib, matplotlib.pyplot, pandas, PIL.Image, safetensors.torch, scipy.ndimage, scipy.spatial, torch, torchvision
import sklearn.decomposition, sklearn.linear_model, sklearn.manifold, sklearn.neighbors, sklearn.neural_network, sklearn.svm
from test_state import differences, modules, process_state
import importlib, pkgutil
package = importlib.util.find_spec('kae_nb').submodule_search_locations
for name in sorted(m.name for m in pkgutil.iter_modules(package) if not m.name.startswith('_')):
    before = process_state()
    importlib.import_module(f'kae_nb.{name}')
    print(name, *differences(before, process_state()))
'''


def test_imports_change_nothing():
    "Importing each module, in a fresh process that has imported what others wrote."
    paths = os.pathsep.join(map(str, [tests, tests.parent]))
    done = subprocess.run(
        [sys.executable, '-c', IMPORTS],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, 'PYTHONPATH': paths},
    )
    assert done.stdout.split('\n')[:-1] == sorted(modules()), done.stdout + done.stderr[-1000:]


@pytest.mark.skipif(os.name != 'posix', reason='limits of files, forks')
@pytest.mark.slow
@pytest.mark.parametrize('which', [['--quick'], ['kills', '--seed', '1']])
def test_trials(which, tmp_path):
    "A tenth of the trials, and all of the kills: tests/trials.py."
    done = subprocess.run(
        [sys.executable, tests / 'trials.py', *which],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]
    assert list(tmp_path.iterdir()) == []
