import { expect, test } from 'vitest';
import { wheelSteps } from './wheel.ts';

const stepsOf = (...deltas: number[]): boolean[] => {
  const steps: boolean[] = [];
  const turn = wheelSteps((up) => steps.push(up));
  for (const deltaY of deltas) turn({ deltaY, deltaMode: 0 });
  return steps;
};

test('a notch of a mouse is a step, whatever a browser makes of it; two at once are two', () => {
  expect(stepsOf(-53)).toEqual([true]);
  expect(stepsOf(100, 120, 120)).toEqual([false, false, false]);
  expect(stepsOf(-240)).toEqual([true, true]);
});

test('what a touchpad sends adds up, and begins anew in the other direction', () => {
  expect(stepsOf(-20, -20)).toEqual([]);
  expect(stepsOf(-20, -20, -20)).toEqual([true]);
  expect(stepsOf(-40, 40, 20)).toEqual([false]);
});

test('lines and pages are whole notches', () => {
  const steps: boolean[] = [];
  wheelSteps((up) => steps.push(up))({ deltaY: 3, deltaMode: 1 });
  expect(steps).toEqual([false]);
});
